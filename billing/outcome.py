"""Outcomes: a Claim's life as money, from the claim to settlement. What happens afterwards is in `reversal`.

claimed -> verified -> settled -> invoiced -> reversed, or rejected, or void; `transitions.TRANSITIONS` has
every step. No function here commits, and none does anything twice.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from agents.canonical import canonical_json, fingerprint
from agents.claim import Claim
from agents.money import Money
from billing import counters, episode, ledger
from billing.contract import Contract, SignedContract
from billing.contract_store import keep_contract, kept_contract
from billing.errors import (
    ClaimConflict,
    ContractNotInForce,
    IllegalTransition,
    NotDue,
    OutcomeNotFound,
    PeriodClosed,
    VerdictRefused,
)
from billing.periods import month_of, utc
from billing.pricing import Billable, price
from billing.tables import InvoiceRow, OutcomeRow
from billing.transitions import OutcomeState, Transition, history, move
from evaluators.verdict import CheckResult, Finding, Verdict

SOURCE_UNAVAILABLE = "source_unavailable"
"""The evaluators' code for a system of record that could not be read."""
SPAM_TAG = "spam"
"""The helpdesk tag by which the customer says that a ticket is spam."""


class Outcome(BaseModel):
    """One outcome as it stands, with the steps it took."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str
    id: str
    """The claim's id."""
    claim_sha256: str
    task_id: str
    ticket_id: str
    requester: str
    """E-mail, normalised."""
    outcome_type: str
    subject: str
    state: OutcomeState
    code: str
    """Coded reason of the last step."""
    claimed_at: AwareDatetime
    contract: str | None
    """``id@version``; None until a verdict is recorded, as are the fields below."""
    contract_sha256: str | None
    ticket_opened_at: AwareDatetime | None
    verified_at: AwareDatetime | None
    settle_at: AwareDatetime | None
    """When the settlement window ends."""
    price: Money | None
    """None unless verified."""
    settled_at: AwareDatetime | None
    settlement: CheckResult | None
    """The check that the proof still stood when the window ended."""
    invoice: str | None
    reversed_at: AwareDatetime | None
    history: tuple[Transition, ...]


def record_claim(session: Session, claim: Claim, *, now: datetime) -> Outcome:
    """Record a Claim: the outcome is claimed, and worth nothing yet.

    Raises:
        ClaimConflict: another claim stands under this id.
    """
    counters.lock(session, claim.tenant)
    sha256 = fingerprint(claim)
    standing = session.get(OutcomeRow, (claim.tenant, claim.id), populate_existing=True)
    if standing is None:
        row = OutcomeRow(
            tenant=claim.tenant,
            id=claim.id,
            claim=canonical_json(claim).decode(),
            claim_sha256=sha256,
            task_id=claim.task_id,
            ticket_id=claim.ticket_id,
            requester=episode.normalised_email(claim.requester_email),
            outcome_type=claim.outcome_type,
            subject=claim.subject,
            state="",
            code="",
            claim_made_at=utc(claim.made_at),
            claimed_at=utc(now),
        )
        try:
            with session.begin_nested():
                session.add(row)
                move(session, row, OutcomeState.CLAIMED, code="claim_made", at=now)
            return described(session, row)
        except IntegrityError:
            standing = locked(session, tenant=claim.tenant, outcome_id=claim.id)
    if standing.claim_sha256 != sha256:
        raise ClaimConflict(f"claim {claim.id} is recorded with other contents")
    return described(session, standing)


def record_verdict(
    session: Session,
    claim: Claim,
    verdict: Verdict,
    signed_contract: SignedContract,
    *,
    ticket_opened_at: datetime,
    ticket_tags: Collection[str],
    now: datetime,
) -> Outcome:
    """Let the verdict on a recorded claim decide: verified and priced, rejected with its code, or void.

    The first verdict stands; a later one on the same claim changes nothing. A verdict that nobody could reach
    because the system of record was away leaves the outcome claimed: verify again.

    Raises:
        ContractNotInForce: the contract does not bind both sides, or did not when the ticket was opened.
        VerdictRefused: it is not authentic under the contract's evaluators' key, or is about something else.
        OutcomeNotFound, ClaimConflict: this claim was never recorded.
    """
    contract = signed_contract.verify()
    _refuse_unfit(claim, verdict, signed_contract)
    if utc(ticket_opened_at) < signed_contract.in_force_from:
        raise ContractNotInForce(
            f"contract {contract.reference} is in force from {signed_contract.in_force_from.isoformat()} on; "
            f"ticket {claim.ticket_id} was opened at {ticket_opened_at.isoformat()}"
        )
    row = locked(session, tenant=claim.tenant, outcome_id=claim.id)
    if row.claim_sha256 != verdict.claim_sha256:
        raise ClaimConflict(f"claim {claim.id} is recorded with other contents")
    if row.state != OutcomeState.CLAIMED or verdict.code == SOURCE_UNAVAILABLE:
        return described(session, row)
    keep_contract(session, tenant=claim.tenant, signed=signed_contract)
    row.verdict = canonical_json(verdict).decode()
    row.contract, row.contract_sha256 = contract.reference, signed_contract.sha256
    row.ticket_opened_at = utc(ticket_opened_at)
    refusal = _not_billable(claim, verdict, contract)
    if _is_spam(ticket_tags, contract):
        move(session, row, OutcomeState.VOID, code="spam", at=now)
    elif refusal:
        move(session, row, OutcomeState.REJECTED, code=refusal, at=now)
    elif not episode.take(session, row, now=utc(now)):
        move(session, row, OutcomeState.REJECTED, code="already_charged", at=now)
    else:
        unit = price(verdict.outcome_type, contract, value=verdict.value)
        row.price_minor, row.currency = unit.minor, unit.currency
        row.verified_at, row.settle_at = utc(now), utc(now) + contract.settles(verdict.outcome_type).after
        move(session, row, OutcomeState.VERIFIED, code="proof_passed", at=now)
    return described(session, row)


def due(session: Session, *, tenant: str, now: datetime) -> tuple[Outcome, ...]:
    """Outcomes whose settlement window is over, longest over first: look at their proof, then `settle`."""
    rows = session.exec(
        select(OutcomeRow)
        .where(
            OutcomeRow.tenant == tenant,
            OutcomeRow.state == OutcomeState.VERIFIED.value,
            col(OutcomeRow.settle_at) <= utc(now),
        )
        .order_by(col(OutcomeRow.settle_at), col(OutcomeRow.id))
    ).all()
    return tuple(described(session, row) for row in rows)


def settle(
    session: Session,
    *,
    tenant: str,
    outcome_id: str,
    still_stands: CheckResult,
    ticket_tags: Collection[str],
    now: datetime,
) -> Outcome:
    """End a settlement window: charge the outcome and post it, or void it.

    ``still_stands`` is a fresh look at the proof. Failed voids (``proof_undone``). Undetermined leaves the
    outcome verified, to be tried again, until ``settle.no_later_than`` has passed; then it voids
    (``proof_undetermined``).

    Raises:
        NotDue: the window is still open.
        IllegalTransition: the outcome was never verified.
        PeriodClosed: ``now`` lies in a period that is invoiced; try again with the current time.
    """
    row = locked(session, tenant=tenant, outcome_id=outcome_id)
    if row.state in (OutcomeState.SETTLED, OutcomeState.INVOICED, OutcomeState.REVERSED, OutcomeState.VOID):
        return described(session, row)
    if row.contract is None or row.settle_at is None or row.verified_at is None or row.price_minor is None:
        raise IllegalTransition(f"outcome {outcome_id} is {row.state}; only a verified one can be settled")
    contract = kept_contract(session, tenant=tenant, reference=row.contract).verify()
    if utc(now) < row.settle_at:
        raise NotDue(f"outcome {outcome_id} settles at {row.settle_at.isoformat()}, not before")
    deadline = row.verified_at + contract.settles(row.outcome_type).no_later_than
    if still_stands.finding is Finding.UNDETERMINED and utc(now) < deadline:
        return described(session, row)
    row.settlement = canonical_json(still_stands).decode()
    if _is_spam(ticket_tags, contract):
        void(session, row, code="spam", at=now)
    elif still_stands.finding is Finding.FAILED:
        void(session, row, code="proof_undone", at=now)
    elif still_stands.finding is Finding.UNDETERMINED:
        void(session, row, code="proof_undetermined", at=now)
    else:
        _charge(session, row, contract, utc(now))
    return described(session, row)


def find_outcome(session: Session, *, tenant: str, outcome_id: str) -> Outcome:
    """The outcome as it stands; `OutcomeNotFound` if the tenant has none under that id."""
    row = session.get(OutcomeRow, (tenant, outcome_id))
    if row is None:
        raise OutcomeNotFound(f"{tenant} has no outcome {outcome_id}")
    return described(session, row)


def outcomes(session: Session, *, tenant: str) -> tuple[Outcome, ...]:
    """All outcomes of a tenant, by id."""
    rows = session.exec(select(OutcomeRow).where(OutcomeRow.tenant == tenant).order_by(col(OutcomeRow.id)))
    return tuple(described(session, row) for row in rows.all())


def void(session: Session, row: OutcomeRow, *, code: str, at: datetime) -> None:
    """End an outcome that was never charged; its Episode is free again."""
    move(session, row, OutcomeState.VOID, code=code, at=at)
    episode.release(session, row)


def locked(session: Session, *, tenant: str, outcome_id: str) -> OutcomeRow:
    """The outcome's row as it stands, with the tenant's money locked; `OutcomeNotFound` if there is none."""
    counters.lock(session, tenant)
    row = session.get(OutcomeRow, (tenant, outcome_id), populate_existing=True)
    if row is None:
        raise OutcomeNotFound(f"{tenant} has no outcome {outcome_id}")
    return row


def unit_price(row: OutcomeRow) -> Money:
    """The price that was frozen when ``row`` was verified."""
    assert row.price_minor is not None
    assert row.currency is not None
    return Money(minor=row.price_minor, currency=row.currency)


def billable(row: OutcomeRow) -> Billable:
    """What the price of ``row`` rests on, with the value that its signed verdict says."""
    value = Verdict.model_validate_json(row.verdict).value if row.verdict is not None else None
    return Billable(outcome_id=row.id, outcome_type=row.outcome_type, value=value)


def described(session: Session, row: OutcomeRow) -> Outcome:
    """The public picture of a row."""
    return Outcome(
        tenant=row.tenant,
        id=row.id,
        claim_sha256=row.claim_sha256,
        task_id=row.task_id,
        ticket_id=row.ticket_id,
        requester=row.requester,
        outcome_type=row.outcome_type,
        subject=row.subject,
        state=OutcomeState(row.state),
        code=row.code,
        claimed_at=row.claimed_at,
        contract=row.contract,
        contract_sha256=row.contract_sha256,
        ticket_opened_at=row.ticket_opened_at,
        verified_at=row.verified_at,
        settle_at=row.settle_at,
        price=unit_price(row) if row.price_minor is not None else None,
        settled_at=row.settled_at,
        settlement=CheckResult.model_validate_json(row.settlement) if row.settlement is not None else None,
        invoice=row.invoice,
        reversed_at=row.reversed_at,
        history=history(session, tenant=row.tenant, outcome_id=row.id),
    )


def _charge(session: Session, row: OutcomeRow, contract: Contract, now: datetime) -> None:
    period = month_of(now, contract.period.timezone)
    closed = session.exec(
        select(InvoiceRow).where(
            InvoiceRow.tenant == row.tenant,
            InvoiceRow.contract == row.contract,
            InvoiceRow.period == period.label,
        )
    ).first()
    if closed is not None:
        raise PeriodClosed(f"{period.label} is invoiced under {row.contract}; settle {row.id} with the current time")
    row.settled_at = now
    move(session, row, OutcomeState.SETTLED, code="proof_stands", at=now)
    ledger.post(
        session,
        tenant=row.tenant,
        source=f"settle:{row.id}",
        at=now,
        postings=ledger.transfer(unit_price(row), debit=ledger.CONTRACT_ASSET, credit=ledger.revenue(row.outcome_type)),
    )


def _refuse_unfit(claim: Claim, verdict: Verdict, signed: SignedContract) -> None:
    if not verdict.authentic(signed.evaluator_key):
        raise VerdictRefused(f"verdict {verdict.id} is not signed by the evaluators that {signed.reference} names")
    if (verdict.contract, verdict.contract_sha256) != (signed.reference, signed.sha256):
        raise VerdictRefused(f"verdict {verdict.id} tested {verdict.contract}, other terms than {signed.reference}")
    if verdict.claim_id != claim.id or verdict.claim_sha256 != fingerprint(claim):
        raise VerdictRefused(f"verdict {verdict.id} is about another claim than {claim.id} as it was made")
    for name in ("tenant", "task_id", "ticket_id", "requester_email", "outcome_type", "subject"):
        if getattr(verdict, name) != getattr(claim, name):
            raise VerdictRefused(f"verdict {verdict.id} names another {name} than claim {claim.id}")
    if verdict.finding is Finding.PASSED and any(check.finding is not Finding.PASSED for check in verdict.checks):
        raise VerdictRefused(f"verdict {verdict.id} passed although one of its checks did not")


def _not_billable(claim: Claim, verdict: Verdict, contract: Contract) -> str:
    """The code why a fit verdict leads to no charge; empty if it does."""
    terms = contract.outcomes.get(verdict.outcome_type)
    if verdict.finding is not Finding.PASSED:
        return verdict.code
    if terms is None:
        return "not_in_contract"
    if claim.autonomy not in contract.bills:
        return "autonomy_not_billed"
    if verdict.evidence_class != terms.evidence_class:
        return "class_not_billable"
    if verdict.subject.partition(":")[0] != terms.subject:
        return "wrong_subject"
    if terms.worth is not None and (verdict.value is None or verdict.value.currency != contract.currency):
        return "value_in_another_currency"
    return ""


def _is_spam(tags: Collection[str], contract: Contract) -> bool:
    return contract.never_bill.spam is not None and SPAM_TAG in {tag.strip().casefold() for tag in tags}
