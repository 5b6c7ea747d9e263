"""One job of a run, and the ways it may end."""

from __future__ import annotations

from dataclasses import dataclass

from agents.claim import Claim
from agents.planner.plan import Plan
from agents.policy.grant import Autonomy
from agents.policy.labels import Label
from agents.task import Run, Task, TaskState
from agents.ticket import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One job of a run."""

    task: Task
    run: Run
    plan: Plan
    ticket: Ticket
    """As it was when the job began."""
    alone: bool = True
    """False if other tasks of the ticket are under way: its replies are then only drafted, for one final reply to
    all of them. Questions to the requester are always asked."""
    autonomy: Autonomy = Autonomy.AGENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A rendered reply without greeting and closing, and the label of all that was written into it."""

    body: str
    label: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The agent says the task is resolved."""

    claim: Claim
    draft: Draft | None = None
    """What the requester is to be told in the final reply of all tasks; None if the run told them itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The run ended without a claim: answered, waiting, or handed off."""

    state: TaskState
    code: str
    reason: str
    step: str
    draft: Draft | None = None
    """As in `Claimed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """The ticket changed while the run was under way: it starts over with the change in view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Nothing is to go out now: the run ended ahead of an effect or a reply, and a later job takes it up there."""


End = Claimed | Ended | Superseded | Paused
