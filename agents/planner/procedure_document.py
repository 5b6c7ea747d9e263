"""Procedure files as they are written: names and shapes, before anything is looked up."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.policy.grant import Autonomy

_NAME = r"^[a-z][a-z0-9_]*$"
NAME_OF_AGENT = r"^[a-z][a-z0-9-]*$"


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Triggers(_Document):
    """How requesters put it, and how they put things that only sound like it."""

    like: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    otherwise: bool = False
    """For messages that no procedure fits; at most one procedure of a deployment has it."""

    @model_validator(mode="after")
    def _has_examples(self) -> Self:
        if not self.like and not self.otherwise:
            raise ValueError("needs `like` lines, as requesters put it; only `otherwise: true` goes without")
        return self


class InputDocument(_Document):
    """A value to find in the requester's words."""

    pattern: str
    ask: str


class OtherwiseDocument(_Document):
    """An end: a reply and the outcome it claims, if any; or a person, with a coded reason."""

    reply: str | None = None
    outcome: str | None = None
    hand_off: Annotated[str, Field(pattern=_NAME)] | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.reply is None) == (self.hand_off is None):
            raise ValueError("has either `reply`, or `hand_off` with a reason such as no_source")
        if self.hand_off is not None and self.outcome is not None:
            raise ValueError("a handoff claims no outcome; leave `outcome` out")
        return self


class SelectDocument(_Document):
    """Which record of which list."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    source: Annotated[str, Field(alias="from")]
    where: str
    exactly: Annotated[int, Field(ge=1, le=1)] = 1


Leaf = Literal["text", "integer", "boolean"]


class StepDocument(_Document):
    """One step; exactly one of tool, open, select, require and reply says what it does."""

    id: Annotated[str, Field(pattern=_NAME)]
    tool: str | None = None
    args: dict[str, str] = {}
    approve: str | None = None
    when: str | None = None
    open: str | None = None
    tools: dict[str, dict[str, str | tuple[str, ...]]] = {}
    leaves: dict[Annotated[str, Field(pattern=_NAME)], Leaf | tuple[str, ...]] = {}
    agent: Annotated[str, Field(pattern=NAME_OF_AGENT)] | None = None
    answers: Annotated[int, Field(ge=1, le=50)] = 12
    select: SelectDocument | None = None
    require: str | None = None
    otherwise: Annotated[OtherwiseDocument | None, Field(alias="else")] = None
    reply: str | None = None
    values: Annotated[dict[str, str], Field(alias="with")] = {}


class OutlineDocument(_Document):
    """A goal that a model plans for, and what its plans may use."""

    goal: str
    tools: dict[str, dict[str, str | tuple[str, ...]]]
    replies: Annotated[tuple[str, ...], Field(min_length=1)]
    steps: Annotated[int, Field(ge=1, le=50)] = 12
    replans: Annotated[int, Field(ge=0, le=5)] = 2


class ProcedureDocument(_Document):
    """A procedure file: steps, or the outline of a plan that a model writes for each task."""

    procedure: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    version: Annotated[int, Field(ge=1)]
    autonomy: Autonomy | None = None
    """The deployment's where it is left out."""
    outcome: Annotated[str, Field(pattern=_NAME)]
    triggers: Triggers
    inputs: dict[Annotated[str, Field(pattern=_NAME)], InputDocument] = {}
    subject: str
    steps: Annotated[tuple[StepDocument, ...], Field(max_length=50)] = ()
    plan: OutlineDocument | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.steps) == (self.plan is not None):
            raise ValueError("has either `steps`, or `plan` for a model to write them")
        return self
