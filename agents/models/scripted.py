"""A model that answers from a script: for tests, rehearsals and demonstrations without a key.

    model = ScriptedModel([call("shop.find_orders", email="ann@example.com"), "Your order is on its way."])
    ...
    model.finish()

It is strict: an answer that nobody asked for, and a request that no answer is left for, are both errors.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace

from pydantic import JsonValue

from agents.errors import ModelFailed
from agents.models.messages import (
    Abilities,
    Finish,
    ModelRequest,
    ModelResponse,
    StreamEvent,
    TextDelta,
    ToolCall,
    Turn,
    Usage,
    assistant,
)

Answer = str | ToolCall | Turn | ModelFailed | Callable[[ModelRequest], "Answer"]
"""Words, a tool call, a whole turn, a failure, or a function of the request that says which of these."""


class UnexpectedRequest(AssertionError):
    """The script has no answer left."""


class UnusedAnswers(AssertionError):
    """The script has answers left that nobody asked for."""


def call(name: str, **arguments: JsonValue) -> ToolCall:
    """A tool call; the script numbers it."""
    return ToolCall(id="", name=name, arguments=arguments)


class ScriptedModel:
    """Gives the answers of a script, one a request."""

    def __init__(
        self, answers: Iterable[Answer], *, name: str = "scripted:model", abilities: Abilities | None = None
    ) -> None:
        self.name = name
        self.abilities = abilities or Abilities(images=True, output_schema=True, effort=True)
        self.requests: list[ModelRequest] = []
        """Every request so far, for assertions."""
        self._answers = list(answers)

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """The next answer; `UnexpectedRequest` when there is none."""
        number = len(self.requests)
        self.requests.append(request)
        if number >= len(self._answers):
            raise UnexpectedRequest(f"request {number + 1} to {self.name}: the script has {len(self._answers)} answers")
        answer = self._answers[number]
        while callable(answer):
            answer = answer(request)
        if isinstance(answer, ModelFailed):
            raise answer
        turn = _numbered(answer if isinstance(answer, Turn) else assistant(answer), number)
        return ModelResponse(
            turn=turn,
            finish=Finish.TOOL_CALLS if turn.tool_calls else Finish.ANSWERED,
            usage=Usage(input_tokens=_tokens(request), output_tokens=_length(turn) // 4 + 1),
            model=self.name,
            request_id=f"scripted-{number + 1}",
        )

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The next answer, word by word."""
        response = await self.respond(request)
        for word in response.turn.text.split(" "):
            yield TextDelta(text=word + " ")
        yield response

    def finish(self) -> None:
        """`UnusedAnswers` unless the whole script was used, `UnexpectedRequest` if more than that was asked for."""
        left = len(self._answers) - len(self.requests)
        if left < 0:
            raise UnexpectedRequest(f"{self.name} was asked {-left} times more than the script has answers")
        if left > 0:
            raise UnusedAnswers(f"{left} of {len(self._answers)} answers of {self.name} were not asked for")


def _numbered(turn: Turn, number: int) -> Turn:
    parts = [
        replace(part, id=f"call-{number + 1}-{index + 1}") if isinstance(part, ToolCall) and not part.id else part
        for index, part in enumerate(turn.parts)
    ]
    return Turn(role="assistant", parts=tuple(parts))


def _length(turn: Turn) -> int:
    return sum(len(str(part)) for part in turn.parts)


def _tokens(request: ModelRequest) -> int:
    """Four characters are about one token."""
    return (len(request.system) + sum(_length(turn) for turn in request.messages)) // 4 + 1
