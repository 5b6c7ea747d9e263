"""Plans: what a Run intends, compiled from a Procedure. Every step here is bound: it needs no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import regex
from pydantic import JsonValue

from agents.expressions import Expression
from agents.paths import Template
from agents.policy.grant import Filled, Fixed, Slot, Source
from agents.policy.labels import PLAN, STAFF, Integrity, Label, Labelled, Path
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


Step = ToolStep | SelectStep | RequireStep | ReplyStep


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

    def slots(self) -> tuple[Slot, ...]:
        """The calls this plan needs, and no more."""
        slots: list[Slot] = []
        for step in self.steps:
            match step:
                case ToolStep():
                    slots.append(Slot(step=step.id, tool=step.tool, args=sources(step.args)))
                case ReplyStep():
                    slots.append(reply_slot(step.id))
                case SelectStep() | RequireStep() if isinstance(step.otherwise, Otherwise):
                    slots.append(reply_slot(f"{step.id}.else"))
                case _:
                    pass
        slots += [reply_slot(f"ask.{one.name}") for one in self.inputs]
        return tuple(slots)


RENDERED: Mapping[str, Source] = {"text": Filled("reply")}
"""Where the text of a reply comes from: a template of the tenant's."""


def reply_slot(step: str) -> Slot:
    """Room for one rendered reply."""
    return Slot(step=step, tool=REPLY_TOOL, args=RENDERED)


def sources(args: Mapping[str, Template]) -> dict[str, Source]:
    """Where each argument of a bound step comes from."""
    return {
        name: Filled(template.source) if template.paths() else Fixed(template.source) for name, template in args.items()
    }
