"""Receipts: proof of one tool call, written before it and completed after it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from agents.evidence import Evidence

REPLY_TOOL = "conversation.reply"
"""The built-in tool that talks to the requester: it tells, it changes nothing in a system of record."""

MODEL_PREFIX = "model:"
"""Before the model's name, where a receipt is of its answer and not of a tool."""


class Effect(StrEnum):
    """What a tool may do to the world."""

    READ = "read"
    WRITE = "write"
    IRREVERSIBLE = "irreversible"


class ReceiptState(StrEnum):
    """``about_to`` is written before an effect, ``done`` or ``failed`` after it; in between nobody knows."""

    ABOUT_TO = "about_to"
    DONE = "done"
    FAILED = "failed"


class Receipt(BaseModel):
    """One tool call: what was asked for, with which arguments, and what came of it."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    key: str
    """The idempotency key: (task, step, ordinal) for effects, also (run, job) for reads. Unique per tenant."""
    task_id: str
    run_id: str
    step: str
    tool: str
    tool_version: str
    effect: Effect
    args: dict[str, JsonValue]
    args_sha256: str
    procedure: str
    """``name@version``"""
    state: ReceiptState
    result: JsonValue = None
    error: str = ""
    started_at: datetime
    finished_at: datetime | None = None
    evidence: tuple[Evidence, ...] = ()

    @property
    def of_model(self) -> bool:
        """True if it is an answer of a model; ``result`` has its tokens, and ``micros`` of a US dollar it cost."""
        return self.tool.startswith(MODEL_PREFIX)

    @property
    def changes_record(self) -> bool:
        """True if the call was made to change something in a system of record."""
        return self.effect is not Effect.READ and self.tool != REPLY_TOOL

    def with_(self, **changes: Any) -> Receipt:
        """A copy with ``changes``."""
        return self.model_copy(update=changes)
