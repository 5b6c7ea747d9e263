"""Everything that the report shows, gathered from a state's database and evidence into plain frozen records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from agents import tables
from agents.evidence import EvidenceStore, FileEvidenceStore
from agents.policy.approval import Approval, ApprovalState
from agents.ticket import Ticket
from billing import Contract, ContractNotInForce, SignedContract, load_contract
from billing.contract_store import kept_contracts
from billing.outcome import outcomes
from evaluators import EvidenceClass, Finding, Verdict
from evaluators.tables import verdict_of_claim
from service.clock import OffsetClock
from service.database import Database, open_database
from service.deployment import SETTINGS, State
from service.helpdesks.connect import known_tickets
from service.report.books import BooksView, TicketLink, books_view
from service.report.flow import Figure, Stage, figures, flow
from service.report.pictures import Pictures
from service.report.proof import ProofView, proof_view
from service.report.tickets import TicketView, ticket_view
from service.settings import Settings, load_settings
from service.shown import amounts, day, when
from service.summary import ticket_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """One report."""

    tenant: str
    deployment: str
    """Name of the deployment's folder."""
    vendor: str
    customer: str
    contract: str
    """``id@version`` of the newest contract."""
    signed: bool
    """Both sides signed it; without, nothing is priced."""
    opened: str
    """From the first ticket to the last; empty without tickets."""
    periods: str
    """The periods that are invoiced; empty without invoices."""
    made_at: str
    clock_ahead: str
    """How far the clock was moved ahead, as demos do; empty for one that was not."""
    charged: str
    """Unreversed charges."""
    proven: int
    """Claims whose verdict passed."""
    figures: tuple[Figure, ...]
    stages: tuple[Stage, ...]
    tickets: tuple[TicketView, ...]
    open_anchor: str
    """Of the ticket whose detail is open at first: the first with screenshots."""
    proof: ProofView | None
    """One verdict in full; None without verdicts."""
    books: BooksView


def gather(state: State) -> ReportView:
    """What the report on ``state`` shows, as of now. The database is brought to this version first.

    Raises:
        InvalidDocument: the deployment's settings, or its contract while none is signed, cannot be used.
    """
    settings = load_settings(state.deployment / SETTINGS)
    database = open_database(state, settings)
    try:
        return _gather(state, database, settings)
    finally:
        database.close()


def _gather(state: State, database: Database, settings: Settings) -> ReportView:
    tenant, contract_file = settings.tenant, state.deployment / settings.contract
    clock = OffsetClock(state.folder / "clock")
    evidence = FileEvidenceStore(state.evidence)
    with database.transaction() as session:
        kept = {signed.reference: signed for signed in kept_contracts(session, tenant=tenant)}
    contract = _newest(kept) or load_contract(contract_file)[1]
    tickets = known_tickets(state, settings, database, clock)
    lines = ticket_lines(database, tenant, contract.currency, tickets)
    with database.transaction() as session:
        by_task = {one.task_id: one for one in outcomes(session, tenant=tenant)}
        verdicts = [one for one in (verdict_of_claim(session, tenant, each.id) for each in by_task.values()) if one]
        tasks = {task.id: task for task in tables.tasks(session, tenant)}
        by_id = {ticket.id: ticket for ticket in tickets}
        asked = _approvals(session, tenant)
        pictures = Pictures(evidence)
        views = []
        for number, line in enumerate(lines, start=1):
            ticket, task = by_id[line.ticket], tasks.get(line.task)
            views.append(
                ticket_view(
                    session,
                    ticket,
                    line,
                    task,
                    by_task.get(task.id) if task else None,
                    asked[ticket.id],
                    kept,
                    pictures,
                    evidence,
                    anchor=f"ticket-{number}",
                )
            )
        anchors = {view.id: view.anchor for view in reversed(views)}
        links = {
            one.id: TicketLink(name=one.ticket_id, anchor=anchors.get(one.ticket_id, "")) for one in by_task.values()
        }
        books = books_view(session, tenant=tenant, currency=contract.currency, bundles=state.invoices, anchors=links)
        proof = _proof(session, verdicts, kept, evidence, anchors)
    passed = sum(verdict.finding is Finding.PASSED for verdict in verdicts)
    return ReportView(
        tenant=tenant,
        deployment=state.deployment.name,
        vendor=contract.between.vendor,
        customer=contract.between.customer,
        contract=contract.reference,
        signed=contract.reference in kept,
        opened=_opened(tickets),
        periods=", ".join(invoice.period for invoice in books.invoices),
        made_at=when(clock.now()),
        clock_ahead=_ahead(clock),
        charged=amounts(books.charged, contract.currency),
        proven=passed,
        figures=figures(lines, list(by_task.values()), passed, books.charged, contract.currency),
        stages=flow(lines, list(by_task.values())),
        tickets=tuple(views),
        open_anchor=next((view.anchor for view in views if view.pictures), ""),
        proof=proof,
        books=books,
    )


def _newest(kept: Mapping[str, SignedContract]) -> Contract | None:
    """The contract in force since last, of those that still verify."""
    for signed in reversed(tuple(kept.values())):
        try:
            return signed.verify()
        except ContractNotInForce:
            continue
    return None


def _approvals(session: Session, tenant: str) -> Mapping[str, Sequence[Approval]]:
    by_ticket: dict[str, list[Approval]] = defaultdict(list)
    for state in ApprovalState:
        for approval in tables.approvals(session, tenant, state):
            by_ticket[approval.ticket_id].append(approval)
    return by_ticket


def _proof(
    session: Session,
    verdicts: Sequence[Verdict],
    kept: Mapping[str, SignedContract],
    evidence: EvidenceStore,
    anchors: Mapping[str, str],
) -> ProofView | None:
    """The first effect_verified verdict, else the first that there is."""
    strongest = EvidenceClass.EFFECT_VERIFIED
    for verdict in sorted(verdicts, key=lambda each: (each.evidence_class is not strongest, each.ticket_id)):
        claim = tables.claim_of(session, verdict.tenant, verdict.claim_id)
        if claim is not None:
            receipts = tables.receipts_of_task(session, verdict.tenant, verdict.task_id)
            anchor = anchors.get(verdict.ticket_id, "")
            return proof_view(verdict, claim, receipts, kept.get(verdict.contract), evidence, anchor=anchor)
    return None


def _opened(tickets: Sequence[Ticket]) -> str:
    if not tickets:
        return ""
    first, last = day(min(one.opened_at for one in tickets)), day(max(one.opened_at for one in tickets))
    return first if first == last else f"{first} to {last}"


def _ahead(clock: OffsetClock) -> str:
    days = (clock.now() - datetime.now(UTC) + timedelta(minutes=1)) // timedelta(days=1)
    return f"{days} day{'' if days == 1 else 's'}" if days > 0 else ""
