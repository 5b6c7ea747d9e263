"""Approvals: a person's yes to one call with these literal arguments."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, JsonValue

from agents.canonical import fingerprint


class ApprovalState(StrEnum):
    """An approval is asked for, answered once, and used once."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    USED = "used"


class Approval(BaseModel):
    """What a person is asked, with everything the answer is bound to."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    id: str
    task_id: str
    ticket_id: str
    run_id: str
    step: str
    tool: str
    args: dict[str, JsonValue]
    """The literal arguments, as shown."""
    args_sha256: str
    """The answer holds for a call with exactly these arguments and no other."""
    reason: str
    """Why a person is asked."""
    expires_at: datetime
    state: ApprovalState = ApprovalState.PENDING
    decided_by: str = ""
    note: str = ""
    modified_args: dict[str, JsonValue] | None = None
    """The arguments that the person wants instead; the yes is then to these and no others."""
    passed_on_by: tuple[str, ...] = ()
    """Who would not decide, first to last; somebody else answers."""
    passed_on_to: str = ""
    """Whom the last of them named."""

    def covers(self, *, tool: str, args_sha256: str, at: datetime) -> bool:
        """True if this is an unused yes, still valid at ``at``, to exactly this call."""
        said_yes_to = self.args_sha256 if self.modified_args is None else fingerprint(self.modified_args)
        return (
            self.state is ApprovalState.APPROVED
            and self.tool == tool
            and said_yes_to == args_sha256
            and at < self.expires_at
        )
