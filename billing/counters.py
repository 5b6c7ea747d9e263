"""Gapless numbers per tenant, and the tenant's lock: one writer of a tenant's money at a time."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from billing.tables import CounterRow

LEDGER = "ledger"
INVOICE = "invoice"
CREDIT_NOTE = "credit_note"


def lock(session: Session, tenant: str) -> None:
    """Hold the tenant's money until the transaction ends; other writers of this tenant wait.

    Everything in this package that moves an outcome or posts to the ledger takes it first, always first.
    """
    _row(session, tenant, LEDGER)


def next_number(session: Session, tenant: str, name: str) -> int:
    """The next number, counted from 1. It is given back if the transaction rolls back: no gaps."""
    row = _row(session, tenant, name)
    row.value += 1
    session.add(row)
    session.flush()
    return row.value


def last_number(session: Session, tenant: str, name: str) -> int:
    """The last number given out; 0 if none was."""
    row = session.get(CounterRow, (tenant, name))
    return row.value if row is not None else 0


def _row(session: Session, tenant: str, name: str) -> CounterRow:
    row = session.get(CounterRow, (tenant, name), with_for_update=True, populate_existing=True)
    if row is not None:
        return row
    try:
        with session.begin_nested():
            session.add(CounterRow(tenant=tenant, name=name, value=0))
    except IntegrityError:
        pass
    row = session.get(CounterRow, (tenant, name), with_for_update=True, populate_existing=True)
    assert row is not None
    return row
