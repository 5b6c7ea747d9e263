"""The model of one run: whoever the router finds for a role, within the run's budget."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from agents.models.budget import RunBudget
from agents.models.messages import Abilities, Model, ModelRequest, ModelResponse, StreamEvent, TextDelta
from agents.models.router import Need, Router

ModelFor = Callable[[str], Model | None]
"""Whoever plays a role in a run, or is the agent of that name; None where nobody is."""


class RunModel:
    """Implements `Model`: each answer may come from another candidate, and all are paid from one budget."""

    def __init__(self, router: Router, role: str, budget: RunBudget, need: Need, instructions: str = "") -> None:
        """``instructions`` are added to what every request says first."""
        self._router = router
        self._role = role
        self._budget = budget
        self._need = need
        self._instructions = instructions

    @property
    def name(self) -> str:
        """The role; an answer says which model gave it."""
        return f"role:{self._role}"

    @property
    def abilities(self) -> Abilities:
        """Of the candidate that is asked first."""
        return self._router.abilities(self._role, self._need)

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """The answer of the first candidate that gives one; `ModelFailed` if none does or the budget is used up."""
        if self._instructions:
            request = replace(request, system=f"{request.system}\n{self._instructions}\n")
        return await self._router.respond(self._role, request, self._budget, need=self._need)

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The whole answer at once: another candidate may have to give it."""
        response = await self.respond(request)
        yield TextDelta(text=response.turn.text)
        yield response
