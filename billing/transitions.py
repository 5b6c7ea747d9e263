"""The life of an outcome: its states, the one table of steps between them, and the log of steps taken."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlmodel import Session, col, select

from billing.errors import IllegalTransition
from billing.periods import utc
from billing.tables import OutcomeRow, TransitionRow


class OutcomeState(StrEnum):
    """Where an outcome stands. Only settled and invoiced ones are charged."""

    CLAIMED = "claimed"
    VERIFIED = "verified"
    SETTLED = "settled"
    INVOICED = "invoiced"
    REVERSED = "reversed"
    REJECTED = "rejected"
    VOID = "void"


TRANSITIONS: dict[OutcomeState | None, frozenset[OutcomeState]] = {
    None: frozenset({OutcomeState.CLAIMED}),
    OutcomeState.CLAIMED: frozenset({OutcomeState.VERIFIED, OutcomeState.REJECTED, OutcomeState.VOID}),
    OutcomeState.VERIFIED: frozenset({OutcomeState.SETTLED, OutcomeState.VOID}),
    OutcomeState.SETTLED: frozenset({OutcomeState.INVOICED, OutcomeState.REVERSED}),
    OutcomeState.INVOICED: frozenset({OutcomeState.REVERSED}),
    OutcomeState.REVERSED: frozenset(),
    OutcomeState.REJECTED: frozenset(),
    OutcomeState.VOID: frozenset(),
}
"""Every step there is; None is before the first."""


class Transition(BaseModel):
    """One step of an outcome's life."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: OutcomeState | None
    after: OutcomeState
    code: str
    """Coded reason, for example ``reopened_before_settlement``."""
    at: AwareDatetime


def is_legal(before: OutcomeState | None, after: OutcomeState) -> bool:
    """True if an outcome may go from ``before`` to ``after``."""
    return after in TRANSITIONS[before]


def move(session: Session, row: OutcomeRow, after: OutcomeState, *, code: str, at: datetime) -> None:
    """Take one step, log it and write ``row``; `IllegalTransition` if the table has no such step."""
    steps = history(session, tenant=row.tenant, outcome_id=row.id)
    before = steps[-1].after if steps else None
    if not is_legal(before, after):
        raise IllegalTransition(f"outcome {row.id} is {before or 'new'} and cannot become {after} ({code})")
    row.state, row.code = after.value, code
    session.add(row)
    session.add(
        TransitionRow(
            tenant=row.tenant,
            outcome_id=row.id,
            n=len(steps) + 1,
            before=before.value if before is not None else "",
            after=after.value,
            code=code,
            at=utc(at),
        )
    )
    session.flush()


def history(session: Session, *, tenant: str, outcome_id: str) -> tuple[Transition, ...]:
    """The steps an outcome took, oldest first; empty if there is no such outcome."""
    rows = session.exec(
        select(TransitionRow)
        .where(TransitionRow.tenant == tenant, TransitionRow.outcome_id == outcome_id)
        .order_by(col(TransitionRow.n))
    )
    return tuple(
        Transition(
            before=OutcomeState(row.before) if row.before else None,
            after=OutcomeState(row.after),
            code=row.code,
            at=row.at,
        )
        for row in rows
    )
