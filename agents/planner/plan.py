"""Plans: what a Run intends, compiled from a Procedure. Bound steps need no model; an open one has a goal for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import regex
from pydantic import BaseModel, JsonValue

from agents.expressions import Expression
from agents.paths import Template
from agents.policy.bounds import Bounds
from agents.policy.grant import Autonomy, Filled, Fixed, Hole, Slot, Source
from agents.policy.labels import PLAN, STAFF, Integrity, Label, Labelled, Path, join_all
from agents.receipt import REPLY_TOOL


def task_values(data: Mapping[str, JsonValue], email: str) -> Labelled:
    """What ``task.`` offers to procedures: the helpdesk vouches for the requester's address, and nothing else."""
    eyes = frozenset({email, STAFF})
    directory = Label(integrity=Integrity.DIRECTORY, origins=frozenset({"helpdesk"}), owner=email, readers=eyes)
    return Labelled(
        data=dict(data),
        label=said_by(email),
        parts={("id",): PLAN, ("ticket_id",): PLAN, ("language",): PLAN, ("requester", "email"): directory},
    )


def said_by(email: str, origins: frozenset[str] = frozenset()) -> Label:
    """The label of a requester's own words."""
    return Label(integrity=Integrity.UNTRUSTED, origins=origins, readers=frozenset({email, STAFF}))


def model_label(context: Iterable[Label], step: str) -> Label:
    """The label of what a model says: the join of all it was shown, and untrusted whatever that was."""
    return join_all([*context, Label(integrity=Integrity.UNTRUSTED, origins=frozenset({f"model in step {step}"}))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A value taken from the requester's words: untrusted, it may select but never decide."""

    name: str
    pattern: regex.Pattern[str]
    """Its first group is the value."""
    ask: str
    """The reply that asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Otherwise:
    """How a Run ends when a condition does not hold."""

    reply: str
    outcome: str | None
    """The outcome type this end claims, for example a correct refusal; None claims nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOff:
    """A Run ends with a person when a condition does not hold."""

    code: str
    """The coded reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStep:
    """Call a tool with these arguments."""

    id: str
    tool: str
    args: Mapping[str, Template]
    approve: Expression | None
    """A person is asked first when this holds."""
    when: Expression | None
    """The step is skipped when this does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectStep:
    """Pick one record from a list that an earlier step read."""

    id: str
    source: Path
    where: Expression
    """Sees each item as ``it``."""
    otherwise: Otherwise | HandOff | None
    """When not exactly one item fits; None hands the task off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequireStep:
    """Go on only if a condition holds."""

    id: str
    condition: Expression
    otherwise: Otherwise | HandOff | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyStep:
    """Send the requester a reply from its template."""

    id: str
    reply: str
    values: Mapping[str, Template]
    when: Expression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTool:
    """A tool that a model may call in an open step."""

    tool: str
    args: Mapping[str, Template]
    """Arguments that the procedure fills in; the model neither sees nor chooses them."""
    holes: Mapping[str, Hole]
    """Arguments that the model fills in."""

    def sources(self) -> dict[str, Source]:
        """Where each argument comes from."""
        return {**sources(self.args), **self.holes}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStep:
    """Reach a goal with these tools; a model works out how."""

    id: str
    goal: str
    agent: str
    """Who works it out: an agent of ``[models.agents]``; empty for the executor."""
    tools: tuple[OpenTool, ...]
    leaves: type[BaseModel]
    """What the model has to find out: the values that later steps read."""
    max_answers: int
    """Answers of the model; each may call several tools."""
    approve: Expression | None
    """A person is asked before an effect when this holds; None always asks."""


Step = OpenStep | ToolStep | SelectStep | RequireStep | ReplyStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A goal for which a model writes the plan, within bounds that the tenant wrote."""

    goal: str
    tools: tuple[OpenTool, ...]
    replies: tuple[str, ...]
    """The replies that the plan may send, written by the tenant."""
    max_steps: int
    replans: int
    """How often the model may plan anew when a plan came to nothing."""

    def bounds(self) -> Bounds:
        """What every plan of it has to keep to."""
        return Bounds(tools={one.tool: one.sources() for one in self.tools}, free=FREE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps of one Run in the order they are taken; each reads only what earlier ones left."""

    procedure: str
    """``name@version``"""
    sha256: str
    """Fingerprint of the procedure it was compiled from."""
    outcome: str
    subject: Template
    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    outline: Outline | None = None
    """What a model plans from, in the place of steps."""
    autonomy: Autonomy | None = None
    """As the procedure says; None leaves it to the deployment."""
    author: Label = PLAN
    """The label of what is written in the plan itself: literal arguments and conditions."""

    def replies(self) -> set[str]:
        """The names of the replies that it may send."""
        sent = {step.reply for step in self.steps if isinstance(step, ReplyStep)}
        return sent | {end.reply for end in self._ends()}

    def claims(self) -> set[str]:
        """The outcome types that a run of it may claim."""
        return {self.outcome} | {end.outcome for end in self._ends() if end.outcome is not None}

    def _ends(self) -> list[Otherwise]:
        ends = [step.otherwise for step in self.steps if isinstance(step, SelectStep | RequireStep)]
        return [end for end in ends if isinstance(end, Otherwise)]

    def slots(self) -> tuple[Slot, ...]:
        """The calls this plan needs, and no more."""
        slots: list[Slot] = []
        for step in self.steps:
            match step:
                case ToolStep():
                    slots.append(Slot(step=step.id, tool=step.tool, args=sources(step.args)))
                case OpenStep():
                    slots += [
                        Slot(step=step.id, tool=one.tool, args=one.sources(), max_calls=MAX_PARALLEL * step.max_answers)
                        for one in step.tools
                    ]
                    slots.append(Slot(step=step.id, tool=REPLY_TOOL, args=WRITTEN, max_calls=MAX_MESSAGES))
                case ReplyStep():
                    slots.append(reply_slot(step.id))
                case SelectStep() | RequireStep() if isinstance(step.otherwise, Otherwise):
                    slots.append(reply_slot(f"{step.id}.else"))
                case _:
                    pass
        slots += [reply_slot(f"ask.{one.name}") for one in self.inputs]
        return tuple(slots)


WIDEN = "plan.widen"
"""The built-in tool that asks a person for tools beyond a plan's bounds."""
FREE = frozenset({REPLY_TOOL, WIDEN})
"""Tools that no step of a plan names itself."""
RENDERED: Mapping[str, Source] = {"text": Filled("reply")}
"""Where the text of a reply comes from: a template of the tenant's."""
WRITTEN: Mapping[str, Source] = {"text": Hole()}
"""Where the text of a message comes from that a model writes."""
MAX_PARALLEL = 4
"""Calls of one tool that a model makes in one answer, on average at most."""
MAX_MESSAGES = 5
"""Messages that the model of one open step may send the requester."""


def reply_slot(step: str) -> Slot:
    """Room for one rendered reply."""
    return Slot(step=step, tool=REPLY_TOOL, args=RENDERED)


def sources(args: Mapping[str, Template]) -> dict[str, Source]:
    """Where each argument of a bound step comes from."""
    return {
        name: Filled(template.source) if template.paths() else Fixed(template.source) for name, template in args.items()
    }
