"""Second thoughts: the requester came back, or the proof was undone. Charges are reversed, the rest void.

No function here commits, and none does anything twice: a message is compared with the claim by the time it
was written, so a message delivered again never touches what was claimed after it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from billing import counters, credit_notes, episode, ledger
from billing.contract import Contract
from billing.contract_store import kept_contract, kept_contracts
from billing.episode import normalised_email
from billing.outcome import Outcome, described, locked, unit_price, void
from billing.periods import utc
from billing.tables import OutcomeRow
from billing.transitions import OutcomeState, move
from evaluators.verdict import CheckResult, EvidenceClass, Finding

_OPEN = (OutcomeState.CLAIMED.value, OutcomeState.VERIFIED.value)
_CHARGED = (OutcomeState.SETTLED.value, OutcomeState.INVOICED.value)
LOOK_AGAIN = timedelta(days=1)
"""Between two looks at the proof of a charge."""


def requester_returned(
    session: Session,
    *,
    tenant: str,
    ticket_id: str,
    written_at: datetime,
    now: datetime,
    task_ids: Collection[str] | None = None,
) -> tuple[Outcome, ...]:
    """The requester wrote something substantive on the ticket (the caller decides that): it is not resolved.

    Outcomes claimed on this ticket before ``written_at`` (only those of ``task_ids``, if given) become void
    (``reopened_before_settlement``) or, within the contract's reopen window, reversed (``same_subject_reopened``).
    Returns those that changed.
    """
    query = _of_ticket(tenant, ticket_id)
    if task_ids is not None:
        query = query.where(col(OutcomeRow.task_id).in_(task_ids))
    return _reopen(session, tenant, query, written_at, now)


def subject_reopened(
    session: Session,
    *,
    tenant: str,
    requester_email: str,
    subject: str,
    outcome_types: Collection[str],
    written_at: datetime,
    now: datetime,
) -> tuple[Outcome, ...]:
    """Like `requester_returned`, when the requester came back about the subject on another ticket."""
    query = _of_requester(tenant, requester_email).where(
        OutcomeRow.subject == subject, col(OutcomeRow.outcome_type).in_(outcome_types)
    )
    return _reopen(session, tenant, query, written_at, now)


def reopenable(session: Session, *, tenant: str, requester_email: str, at: datetime) -> tuple[Outcome, ...]:
    """The requester's outcomes that become void, or are reversed, if they come back about them at ``at``."""
    rows = session.exec(_of_requester(tenant, requester_email).order_by(col(OutcomeRow.id))).all()
    return tuple(described(session, row) for row in rows if row.state in _OPEN or _in_window(session, row, utc(at)))


def restart_window(
    session: Session,
    *,
    tenant: str,
    ticket_id: str,
    event: Literal["requester_message", "staff_public_reply"],
    at: datetime,
) -> tuple[Outcome, ...]:
    """A message that reopens nothing was written: verified outcomes of the ticket wait ``settle.after`` anew.

    Never beyond ``settle.no_later_than``, and only if the contract's ``restarts_on`` names ``event``.
    """
    counters.lock(session, tenant)
    changed = []
    for row in _fresh(session, _of_ticket(tenant, ticket_id)):
        if row.state != OutcomeState.VERIFIED or utc(at) <= row.claim_made_at:
            continue
        assert row.contract is not None
        assert row.verified_at is not None
        assert row.settle_at is not None
        terms = kept_contract(session, tenant=tenant, reference=row.contract).verify().settles(row.outcome_type)
        later = min(utc(at) + terms.after, row.verified_at + terms.no_later_than)
        if event in terms.restarts_on and later > row.settle_at:
            row.settle_at = later
            session.add(row)
            session.flush()
            changed.append(described(session, row))
    return tuple(changed)


def to_look_at(session: Session, *, tenant: str, now: datetime) -> tuple[Outcome, ...]:
    """Charges whose proof is due for another look: call `proof_undone` with what is seen. Longest unseen first.

    They are those of effects (an answer cannot be undone), within the reopen window, whose contract takes back what is
    undone, and that nobody looked at for `LOOK_AGAIN`.
    """
    seen = func.coalesce(OutcomeRow.looked_at, OutcomeRow.settled_at)
    rows: list[OutcomeRow] = []
    for signed in kept_contracts(session, tenant=tenant):
        contract = signed.verify()
        types = [
            name
            for name, terms in contract.outcomes.items()
            if terms.evidence_class is EvidenceClass.EFFECT_VERIFIED and "proof_undone" in contract.reverse_on.when
        ]
        query = select(OutcomeRow).where(
            OutcomeRow.tenant == tenant,
            OutcomeRow.contract == contract.reference,
            col(OutcomeRow.state).in_(_CHARGED),
            col(OutcomeRow.outcome_type).in_(types),
            col(OutcomeRow.settled_at) >= utc(now) - contract.reverse_on.within,
            seen <= utc(now) - LOOK_AGAIN,
        )
        rows += session.exec(query.order_by(seen, col(OutcomeRow.id))).all()
    return tuple(described(session, row) for row in rows)


def proof_undone(
    session: Session, *, tenant: str, outcome_id: str, still_stands: CheckResult, now: datetime
) -> Outcome:
    """A fresh look at a charged outcome's proof: failed within the reopen window reverses it."""
    row = locked(session, tenant=tenant, outcome_id=outcome_id)
    if row.state in _CHARGED and still_stands.finding is not Finding.UNDETERMINED:
        row.looked_at = utc(now)
        session.add(row)
        if still_stands.finding is Finding.FAILED:
            _reverse(session, row, code="proof_undone", happened_at=utc(now), now=utc(now))
    return described(session, row)


def _reopen(
    session: Session, tenant: str, query: SelectOfScalar[OutcomeRow], written_at: datetime, now: datetime
) -> tuple[Outcome, ...]:
    counters.lock(session, tenant)
    changed = []
    for row in _fresh(session, query):
        if utc(written_at) <= row.claim_made_at:
            continue
        before = row.state
        if before in _OPEN:
            void(session, row, code="reopened_before_settlement", at=now)
        elif before in _CHARGED:
            _reverse(session, row, code="same_subject_reopened", happened_at=utc(written_at), now=utc(now))
        if row.state != before:
            changed.append(described(session, row))
    return tuple(changed)


def _reverse(
    session: Session,
    row: OutcomeRow,
    *,
    code: Literal["same_subject_reopened", "proof_undone"],
    happened_at: datetime,
    now: datetime,
) -> None:
    if not _in_window(session, row, happened_at, code=code):
        return
    contract = _contract(session, row)
    row.reversed_at = now
    if row.invoice is not None:
        credit_notes.credit(session, row, contract, code=code, now=now)
    else:
        ledger.post(
            session,
            tenant=row.tenant,
            source=f"reverse:{row.id}",
            at=now,
            postings=ledger.transfer(
                unit_price(row), debit=ledger.revenue(row.outcome_type), credit=ledger.CONTRACT_ASSET
            ),
        )
    move(session, row, OutcomeState.REVERSED, code=code, at=now)
    episode.release(session, row)


def _in_window(
    session: Session,
    row: OutcomeRow,
    at: datetime,
    *,
    code: Literal["same_subject_reopened", "proof_undone"] = "same_subject_reopened",
) -> bool:
    """True if ``row`` is charged, and ``code`` at that time takes the charge back."""
    if row.state not in _CHARGED:
        return False
    assert row.settled_at is not None
    terms = _contract(session, row).reverse_on
    return code in terms.when and at <= row.settled_at + terms.within


def _contract(session: Session, row: OutcomeRow) -> Contract:
    assert row.contract is not None
    return kept_contract(session, tenant=row.tenant, reference=row.contract).verify()


def _of_requester(tenant: str, email: str) -> SelectOfScalar[OutcomeRow]:
    return select(OutcomeRow).where(OutcomeRow.tenant == tenant, OutcomeRow.requester == normalised_email(email))


def _of_ticket(tenant: str, ticket_id: str) -> SelectOfScalar[OutcomeRow]:
    return select(OutcomeRow).where(OutcomeRow.tenant == tenant, OutcomeRow.ticket_id == ticket_id)


def _fresh(session: Session, query: SelectOfScalar[OutcomeRow]) -> tuple[OutcomeRow, ...]:
    found = session.exec(query.order_by(col(OutcomeRow.id)).execution_options(populate_existing=True))
    return tuple(found.all())
