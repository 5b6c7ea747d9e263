"""What a rehearsal tells: where a ticket and its tasks would stand, and what that rests on."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, JsonValue

from service.model_use import ModelUse


class RehearsedEnd(StrEnum):
    """Where a ticket, or one task of it, would stand, best first."""

    RESOLVED = "resolved"
    """Claimed, and nothing that can be known speaks against the claim."""
    ANSWERED = "answered"
    """The requester would be told something, and nothing would be claimed."""
    WAITING = "waiting"
    """The requester would be asked, and there is no answer yet."""
    NEEDS_MODEL = "needs_model"
    """It comes to what a model works out, and the rehearsal asked none, or none any more."""
    HANDED_OFF = "handed_off"
    NOT_WORKED_ON = "not_worked_on"


ENDS = {
    RehearsedEnd.RESOLVED: "resolved",
    RehearsedEnd.ANSWERED: "answered, nothing claimed",
    RehearsedEnd.WAITING: "waits for the requester",
    RehearsedEnd.NEEDS_MODEL: "needs a model",
    RehearsedEnd.HANDED_OFF: "handed to people",
    RehearsedEnd.NOT_WORKED_ON: "not worked on",
}
"""Each end in words."""


class Proof(StrEnum):
    """What a claim's verdict rests on."""

    CHECKED = "checked"
    """Nothing had to change, and the evaluators' whole panel passed on a fresh reading."""
    ASSUMED = "assumed"
    """The effect was not made; that it would be on record is assumed, everything else was checked."""
    MISSING = "missing"
    """The claim would not be proven."""


class RehearsedEffect(BaseModel):
    """One effect that would have been made."""

    model_config = ConfigDict(frozen=True)

    tool: str
    args: dict[str, JsonValue]


class RehearsedTask(BaseModel):
    """One task of a rehearsed ticket."""

    model_config = ConfigDict(frozen=True)

    procedure: str
    """``name@version``; empty where none was chosen."""
    end: RehearsedEnd
    code: str
    """Coded reason; empty for a resolved task."""
    why: str
    """The reason in words."""
    outcome_type: str
    """Of the claim; empty where nothing would be claimed."""
    intended: str
    """The outcome that the procedure is for; empty without a procedure."""
    subject: str
    """``kind:key`` that the run was about; empty where it did not get so far."""
    proof: Proof | None
    """None where nothing would be claimed."""
    charge_minor: int
    """What would be charged, in minor units of the contract's currency; the least of it where ``charge_most_minor`` is
    more: the price is a share of a value that is on record only after the effect."""
    charge_most_minor: int
    """The most that would be charged."""
    effects: tuple[RehearsedEffect, ...]
    approvals: tuple[str, ...]
    """Why a person would have been asked, per approval; each was taken as given."""
    questions: int
    """How often the requester would have been asked for something."""
    nothing_found: tuple[str, ...]
    """Reads that found nothing: the system of record may have moved on since."""
    models: ModelUse = ModelUse()
    """What models took for it in this rehearsal."""

    @property
    def proven(self) -> bool:
        """True if there would be a claim, and nothing that can be known speaks against it."""
        return self.proof in (Proof.CHECKED, Proof.ASSUMED)


class Rehearsed(BaseModel):
    """What would become of one ticket."""

    model_config = ConfigDict(frozen=True)

    ticket: str
    language: str
    end: RehearsedEnd
    """That of the task which went least well."""
    tasks: tuple[RehearsedTask, ...]
    """Empty for a ticket that would not be worked on."""
    why: str
    replies: tuple[str, ...]
    """What the requester would have been told, oldest first."""
    unread: int = 0
    """Later messages in the history that no question called for."""

    @property
    def charge_minor(self) -> int:
        """What would be charged for it, at least."""
        return sum(task.charge_minor for task in self.tasks)

    @property
    def charge_most_minor(self) -> int:
        """What would be charged for it, at most."""
        return sum(task.charge_most_minor for task in self.tasks)
