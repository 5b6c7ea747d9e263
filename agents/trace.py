"""The trace of a run: append-only typed events. The console, exports and replays read these; state is a fold."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, JsonValue


class EventKind(StrEnum):
    """What happened. Order matters only within one step: an event's number is its job and its place here."""

    PLAN_MADE = "plan.made"
    STEP_DONE = "step.done"
    STEP_SKIPPED = "step.skipped"
    STEP_FAILED = "step.failed"
    EFFECT_ABOUT_TO = "effect.about_to"
    EFFECT_CALLED = "effect.called"
    EFFECT_DONE = "effect.done"
    APPROVAL_ASKED = "approval.asked"
    RUN_ENDED = "run.ended"
    MODEL_ANSWERED = "model.answered"
    CALL_REFUSED = "call.refused"
    """A model wanted a call that was not made."""


_PLACE = {kind: place for place, kind in enumerate(EventKind)}


class Event(BaseModel):
    """One event, keyed by (run, step, n): recorded twice it is one event."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    run_id: str
    step: str
    n: int
    kind: EventKind
    at: datetime
    data: dict[str, JsonValue] = {}


Listener = Callable[[Event], None]
"""Told of every event right after it happened; must not raise."""


def event_number(job: int, kind: EventKind) -> int:
    """The place of an event within its step: the same event of a repeated job has the same number."""
    return job * 100 + _PLACE[kind]
