"""Episodes: one requester's one issue across tickets. At most one unreversed charge each, by a unique key.

An Episode is (tenant, requester, outcome type, subject) for as long as its charge can still be reversed (the
reopen window of the charge's own contract). After that the same issue coming up again is a new Episode.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from billing.contract_store import kept_contract
from billing.tables import ChargeRow, OutcomeRow


def normalised_email(email: str) -> str:
    """``email`` as Episodes compare it: no surrounding space, no upper case."""
    return email.strip().casefold()


def take(session: Session, row: OutcomeRow, *, now: datetime) -> bool:
    """Take the Episode of ``row`` for its charge; False if another charge has it."""
    charge = ChargeRow(
        tenant=row.tenant,
        outcome_id=row.id,
        requester=row.requester,
        outcome_type=row.outcome_type,
        subject=row.subject,
        episode=_current(session, row, now),
        live=True,
    )
    try:
        with session.begin_nested():
            session.add(charge)
    except IntegrityError:
        return False
    return True


def release(session: Session, row: OutcomeRow) -> None:
    """Give the Episode of ``row`` back: its charge is void or reversed."""
    charge = session.get(ChargeRow, (row.tenant, row.id), populate_existing=True)
    if charge is not None:
        charge.live = False
        session.add(charge)
        session.flush()


def _current(session: Session, row: OutcomeRow, now: datetime) -> int:
    """The number of the Episode that is open now for what ``row`` is about."""
    last = session.exec(
        select(ChargeRow)
        .where(
            ChargeRow.tenant == row.tenant,
            ChargeRow.requester == row.requester,
            ChargeRow.outcome_type == row.outcome_type,
            ChargeRow.subject == row.subject,
        )
        .order_by(col(ChargeRow.episode).desc(), col(ChargeRow.live).desc())
    ).first()
    if last is None:
        return 1
    if not last.live:
        return last.episode
    holder = session.get(OutcomeRow, (last.tenant, last.outcome_id))
    if holder is None or holder.settled_at is None or holder.contract is None:
        return last.episode
    window = kept_contract(session, tenant=holder.tenant, reference=holder.contract).verify().reverse_on.within
    return last.episode + 1 if now > holder.settled_at + window else last.episode
