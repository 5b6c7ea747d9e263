"""Claims: the agent's statement that a Task is resolved. Never a verdict."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from agents.policy.grant import Autonomy


class Claim(BaseModel):
    """What the agent says it achieved, and the receipts it rests on."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    id: str
    task_id: str
    run_id: str
    ticket_id: str
    requester_email: str
    outcome_type: str
    subject: str
    """What the outcome is about, ``kind:key``, for example ``order:10482``."""
    procedure: str
    """``name@version``"""
    reply: str
    """The final reply as the requester read it."""
    language: str
    receipts: tuple[str, ...]
    """Keys of the receipts."""
    autonomy: Autonomy = Autonomy.AGENT
    """How much was done without a person."""
    made_at: datetime
    """When its last call began: what the requester writes after that was not seen by the run."""
