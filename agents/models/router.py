"""Which model is asked: by role and by what the procedure needs; the next one where the first gives no answer.

    response = await router.respond(Role.EXECUTOR, request, budget, need=Need(reliability="high"))

Every attempt is paid for: the most that it can cost is reserved before it, and what it did cost is settled after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from agents.clock import Clock, SystemClock
from agents.errors import ModelFailed
from agents.models.budget import Reservation, RunBudget
from agents.models.costs import Prices
from agents.models.messages import Abilities, Finish, Model, ModelRequest, ModelResponse, Usage
from agents.models.traffic import Circuit, Entry, Rate, Throttle
from agents.models.wire import WireModel, unable

Level = Literal["low", "normal", "high"]
_LEVELS: dict[Level, int] = {"low": 0, "normal": 1, "high": 2}
MAX_WAIT = 20.0
"""Seconds that are waited for one provider; where it would be longer, the next one is asked."""
_TROUBLE = frozenset({"unavailable", "overloaded", "timeout"})
_FINAL = frozenset({"budget", "invalid_request"})
"""No other model would help."""


class Role(StrEnum):
    """What a model is asked to be."""

    PLANNER = "planner"
    EXECUTOR = "executor"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a procedure asks of a model."""

    reliability: Level = "normal"
    complexity: Level = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model, and the most that it is trusted with."""

    model: str
    """``provider:model``"""
    reliability: Level = "high"
    complexity: Level = "high"

    def serves(self, need: Need) -> bool:
        """True if it is trusted with that."""
        return (
            _LEVELS[self.reliability] >= _LEVELS[need.reliability]
            and _LEVELS[self.complexity] >= _LEVELS[need.complexity]
        )


_ANY = Need()


class Router:
    """Asks models by role."""

    def __init__(
        self,
        roles: Mapping[str, Sequence[Candidate]],
        *,
        open_model: Callable[[str], Model],
        prices: Prices,
        rates: Mapping[str, Rate] | None = None,
        retries: int = 2,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Open no model yet.

        Args:
            roles: candidates in the order in which they are asked, by role or by an agent's name.
            open_model: from ``provider:model``, for example `agents.models.naming.open_model`; called once each.
            prices: without a price a model is not asked.
            rates: by provider.
            retries: attempts after the first, with one model, where the same request may succeed later.
            clock: tells the time of prices.
            monotonic: tells seconds, for rates and circuits.
            sleep: waits seconds.
        """
        self._roles = {role: tuple(candidates) for role, candidates in roles.items()}
        self._open_model = open_model
        self._prices = prices
        self._rates = dict(rates or {})
        self._retries = retries
        self._clock = clock or SystemClock()
        self._monotonic = monotonic
        self._sleep = sleep
        self._models: dict[str, Model] = {}
        self._circuits: dict[str, Circuit] = {}
        self._throttles: dict[str, Throttle] = {}

    async def respond(self, role: str, request: ModelRequest, budget: RunBudget, *, need: Need = _ANY) -> ModelResponse:
        """The answer of the first candidate that gives one.

        A refusal counts as an answer only where nobody else is left to ask.

        Raises:
            ModelFailed: of the last one asked; ``budget`` at once, when a reservation is refused.
        """
        refused: ModelResponse | None = None
        failed = ModelFailed(f"role {role}", "no model is set that is trusted with this", code="invalid_request")
        for candidate in self._roles.get(role, ()):
            if not candidate.serves(need):
                continue
            try:
                model = self._model(candidate.model)
                if lacking := unable(model.abilities, request):
                    failed = ModelFailed(model.name, lacking, code="invalid_request")
                    continue
                response = await self._ask(model, request, budget)
            except ModelFailed as error:
                failed = error
                if failed.code in _FINAL:
                    raise
                continue
            if response.finish is not Finish.REFUSED:
                return response
            refused = response
        if refused is not None:
            return refused
        raise failed

    def abilities(self, role: str, need: Need = _ANY) -> Abilities:
        """Of the first candidate that can be asked."""
        for candidate in self._roles.get(role, ()):
            with contextlib.suppress(ModelFailed):
                if candidate.serves(need):
                    return self._model(candidate.model).abilities
        return Abilities()

    async def aclose(self) -> None:
        """Close the connections of every model that was opened."""
        for model in self._models.values():
            if isinstance(model, WireModel):
                await model.aclose()

    def _model(self, name: str) -> Model:
        if name not in self._models:
            self._models[name] = self._open_model(name)
        return self._models[name]

    async def _ask(self, model: Model, request: ModelRequest, budget: RunBudget) -> ModelResponse:
        provider = model.name.partition(":")[0]
        circuit = self._circuits.setdefault(provider, Circuit(self._monotonic))
        for attempt in range(self._retries + 1):
            wait = circuit.wait()
            if wait > 0:
                message = f"it failed too often and is left alone for {wait:.0f} s"
                raise ModelFailed(model.name, message, code="unavailable", retryable=True, retry_after=wait)
            at = self._clock.now()
            tokens, micros = self._prices.most(model.name, request, at)
            entry = await self._turn(model.name, tokens, budget)
            held = budget.reserve(model.name, tokens, micros)  # a call that is cancelled stays reserved, in full
            try:
                response = await _within(model, request, budget.seconds_left)
            except ModelFailed as error:
                failed = error
            else:
                circuit.succeeded()
                entry.tokens, cost = self._settle(held, response.usage, at)
                return replace(response, micros=cost)
            entry.tokens = tokens if failed.may_have_cost else 0
            held.settle(*((tokens, micros) if failed.may_have_cost else (0, 0)))
            pause = failed.retry_after if failed.retry_after is not None else _backoff(attempt)
            if failed.code in _TROUBLE:
                circuit.failed()
            if failed.code in ("rate_limited", "overloaded") and pause > MAX_WAIT:
                circuit.pause(pause)
            if not failed.retryable or attempt == self._retries or not await self._waited(pause, budget):
                raise failed
        raise AssertionError("the last attempt returns or raises")

    def _settle(self, held: Reservation, usage: Usage, at: datetime) -> tuple[int, int]:
        """What the answer took in tokens and micro-dollars; the whole reservation where the provider does not say."""
        used = usage.input_tokens + usage.output_tokens
        try:
            micros = self._prices.micros(held.model, usage, at)
        except ValueError:
            used, micros = held.tokens, held.micros
        if not usage.input_tokens:
            used, micros = held.tokens, held.micros
        held.settle(used, micros)
        return used, micros

    async def _turn(self, model: str, tokens: int, budget: RunBudget) -> Entry:
        """Wait until the provider's rate lets another request pass."""
        provider = model.partition(":")[0]
        throttle = self._throttles.setdefault(provider, Throttle(self._rates.get(provider, Rate()), self._monotonic))
        while True:
            entry = throttle.take(tokens)
            if isinstance(entry, Entry):
                return entry
            if not await self._waited(entry, budget):
                message = f"as much as {provider} may be asked in a minute has been asked"
                raise ModelFailed(model, message, code="rate_limited", retryable=True, retry_after=entry)

    async def _waited(self, seconds: float, budget: RunBudget) -> bool:
        """False, at once, if that is longer than anybody waits."""
        left = budget.seconds_left
        if seconds > MAX_WAIT or (left is not None and seconds >= left):
            return False
        await self._sleep(seconds)
        return True


async def _within(model: Model, request: ModelRequest, seconds: float | None) -> ModelResponse:
    try:
        async with asyncio.timeout(seconds):
            return await model.respond(request)
    except TimeoutError:
        pass
    raise ModelFailed(model.name, "the run's time is over", code="budget", may_have_cost=True)


def _backoff(attempt: int) -> float:
    return float(2**attempt) * (0.5 + random.random())
