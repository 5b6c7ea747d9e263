"""What is said to a model and what it answers, the same for every provider.

    request = ModelRequest(system="...", messages=(user("Where is my parcel?"),), tools=(...), max_output_tokens=2000)
    response = await model.respond(request)

A conversation alternates between `user` turns (words, pictures, results of tools) and `assistant` turns (words, tool
calls, thinking). An adapter turns this into its provider's format and back, and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Protocol

from pydantic import Field, JsonValue, TypeAdapter

Effort = Literal["low", "medium", "high"]
"""How much a model may think before it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Words."""

    text: str
    kind: Literal["text"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture that the model is shown."""

    data_base64: str
    media_type: str
    """``image/png``, ``image/jpeg``, ``image/gif`` or ``image/webp``."""
    kind: Literal["image"] = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """The model wants a tool called."""

    id: str
    """The provider's, or made up where it gave none; unique within a conversation."""
    name: str
    arguments: dict[str, JsonValue]
    malformed: str = ""
    """What is wrong with the arguments as they came (cut short, not an object, a key twice, too long); then
    ``arguments`` is empty and nothing is called."""
    kind: Literal["tool_call"] = "tool_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What came of a tool call."""

    call_id: str
    content: tuple[Text | Image, ...]
    failed: bool = False
    kind: Literal["tool_result"] = "tool_result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """What a model thought; given back to the provider as it came, and shown to nobody else."""

    provider: str
    """Only an adapter of this provider gives it back."""
    data: dict[str, JsonValue]
    """The provider's own block."""
    kind: Literal["thinking"] = "thinking"


Part = Annotated[Text | Image | ToolCall | ToolResult | Thinking, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """All words of the turn."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of the turn, in order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


def user(*said: str | Part) -> Turn:
    """A user turn; plain strings are words."""
    return Turn(role="user", parts=_parts(said))


def assistant(*said: str | Part) -> Turn:
    """An assistant turn; plain strings are words."""
    return Turn(role="assistant", parts=_parts(said))


def _parts(said: Sequence[str | Part]) -> tuple[Part, ...]:
    return tuple(Text(text=one) if isinstance(one, str) else one for one in said)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as a model is shown it."""

    name: str
    """Letters, digits, ``_`` and ``-`` only: providers refuse anything else."""
    description: str
    parameters: dict[str, JsonValue]
    """JSON Schema of the arguments, an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSchema:
    """The answer is JSON of this shape."""

    name: str
    schema: dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One request."""

    system: str
    messages: tuple[Turn, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_output_tokens: int = 4096
    tool_choice: Literal["auto", "none", "required"] = "auto"
    output: OutputSchema | None = None
    effort: Effort | None = None
    """None leaves it to the provider; a model that cannot be told so ignores it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one request."""

    input_tokens: int = 0
    """All that was read, cached or not."""
    output_tokens: int = 0
    """All that was written, thinking included."""
    cache_read_tokens: int = 0
    """The part of the input that came from the provider's cache."""
    cache_write_tokens: int = 0
    """The part of the input that was put into the provider's cache."""
    reasoning_tokens: int = 0
    """The part of the output that was thinking, where the provider says so."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )


class Finish(StrEnum):
    """Why a model stopped."""

    ANSWERED = "answered"
    TOOL_CALLS = "tool_calls"
    LENGTH = "length"
    """It was cut off at ``max_output_tokens``; its last part may be incomplete."""
    REFUSED = "refused"
    OVERFLOW = "overflow"
    """The conversation no longer fits into its context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResponse:
    """One answer."""

    turn: Turn
    finish: Finish
    usage: Usage
    model: str
    """``provider:model`` as the provider says it answered, which may be a dated version of what was asked for."""
    request_id: str = ""
    """The provider's, for its support."""
    seconds: float = 0.0
    """From sending the request to its last byte."""
    seconds_to_first_token: float | None = None
    """None where the answer was not streamed."""
    micros: int | None = None
    """What it cost in millionths of a US dollar; None where nobody counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """Some more words of an answer that is under way."""

    text: str


StreamEvent = TextDelta | ModelResponse
"""Words as they come; the last one is the whole answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a model can do, declared rather than discovered."""

    tools: bool = True
    images: bool = False
    output_schema: bool = False
    """It keeps to an `OutputSchema`; where False the schema is part of the words and the answer is checked."""
    effort: bool = False
    context_tokens: int = 128_000


class Model(Protocol):
    """A language model."""

    @property
    def name(self) -> str:
        """``provider:model``"""
        ...

    @property
    def abilities(self) -> Abilities:
        """What it can do."""
        ...

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """Its answer, whole; `ModelFailed` if there is none."""
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """Its answer as it comes, the whole of it last; `ModelFailed` if it breaks off."""
        ...


_KEPT: TypeAdapter[ModelResponse] = TypeAdapter(ModelResponse)


def to_json(response: ModelResponse) -> bytes:
    """The answer as it is kept as evidence; `from_json` reads it."""
    return _KEPT.dump_json(response)


def from_json(data: bytes) -> ModelResponse:
    """The answer that `to_json` wrote."""
    return _KEPT.validate_json(data)
