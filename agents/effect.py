"""The moment before an effect: who may look at the system of record then, and what they are told."""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel, ConfigDict, JsonValue


class PendingEffect(BaseModel):
    """An effect that is allowed, about to be recorded and then made."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    task_id: str
    key: str
    """The call's idempotency key."""
    tool: str
    args: dict[str, JsonValue]
    outcome_type: str
    subject: str
    """``kind:key``, for example ``order:10482``, as the procedure supplies it."""
    requester_email: str


class EffectObserver(Protocol):
    """Looks at the system of record ahead of an effect, with a credential of its own.

    Declared here, implemented by the evaluators, put in place by the service: the agent cannot choose what is seen.
    """

    async def before_effect(self, effect: PendingEffect) -> None:
        """Take the snapshot that a later verdict compares with; the first one under a key stands.

        Raises:
            Exception: the snapshot could not be taken; the effect is then not made.
        """
        ...
