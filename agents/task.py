"""Tasks and Runs: one issue inside a ticket, and one attempt of an agent at it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from agents.ticket import Requester


class TaskState(StrEnum):
    """Where a Task stands. The first three are under way, the others are ends."""

    OPEN = "open"
    WAITING_REQUESTER = "waiting_requester"
    WAITING_APPROVAL = "waiting_approval"
    CLAIMED = "claimed"
    ANSWERED = "answered"
    """The requester was answered and nothing is claimed (an order that is not theirs, for example)."""
    HANDED_OFF = "handed_off"
    EXCLUDED = "excluded"
    """Not worked on at all: the helpdesk says it is spam, for example."""


class Task(BaseModel):
    """One issue inside a Ticket, to be finished end to end."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    id: str
    ticket_id: str
    requester: Requester
    language: str
    """ISO 639-1 code of the requester's words: the language of the replies."""
    procedure: str = ""
    """Name of the procedure chosen for it; empty until one is."""
    about: tuple[str, ...] = ()
    """The requester's words that are this issue, where their ticket holds several; empty means all of their words."""
    heard: int = 0
    """How many of the requester's messages were there when ``about`` was written."""
    opened_at: datetime
    state: TaskState = TaskState.OPEN
    reason: str = ""
    """Coded reason of the state, for example ``no_procedure``; empty when there is nothing to explain."""
    detail: str = ""
    """The reason in words, for people."""
    changed_at: datetime | None = None
    """When it came to stand where it stands."""


class Run(BaseModel):
    """One attempt of an agent at a Task; its procedure's version is frozen when it starts."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    id: str
    task_id: str
    procedure: str
    """``name@version``"""
    job: int
    """Counts the stretches of work: a run that waits for a person ends its job, the answer starts the next."""
    ticket_sha256: str = ""
    """Names the evidence that holds the ticket, with its attachments, as this job sees it."""
