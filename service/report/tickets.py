"""Tickets for the report: the conversation, the steps taken, the verdict, and the outcome's life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from agents import tables
from agents.evidence import EvidenceStore
from agents.policy.approval import Approval, ApprovalState
from agents.receipt import Effect, Receipt
from agents.task import Task
from agents.ticket import Author, Message, Ticket
from agents.trace import Event, EventKind
from billing import Outcome, SignedContract
from billing.transitions import OutcomeState
from evaluators.tables import verdict_of_claim
from service.reasons import words
from service.report.pictures import Picture, Pictures
from service.report.proof import CheckView, VerdictView, check_view, verdict_view
from service.shown import LANGUAGES, LETTER, LINE, PARAGRAPH, RESULT, Shown, amount, shown, took, value, when
from service.summary import OutcomeLine, TicketLine

MAX_STEPS = 200
"""Steps of one ticket that are listed."""
_EFFECTS = {Effect.READ: "read", Effect.WRITE: "change", Effect.IRREVERSIBLE: "irreversible change"}
_ENDS = {"handed_off": "handed to a person", "excluded": "not worked on", "answered": "answered", "open": "under way"}
_TONES = {
    "settled": "good", "invoiced": "good", "verified": "wait", "claimed": "wait", "reversed": "back", "void": "back",
    "rejected": "bad", "escalated": "people",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One message."""

    side: str
    """``requester``, ``agent`` or ``staff``."""
    who: Shown
    at: str
    text: Shown
    internal: bool
    """The requester never sees it."""
    automatic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One thing that the run did: a tool call with its receipt, or a note such as a rule that held."""

    name: str
    tool: str
    """Empty for a note."""
    effect: str
    state: str
    note: Shown
    args: tuple[tuple[str, Shown], ...]
    result: Shown | None
    error: Shown | None
    at: str
    took: str
    key: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeView:
    """One step of an outcome's life."""

    state: str
    words: str
    code: str
    at: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeView:
    """What a ticket costs, or why it costs nothing."""

    charged: bool
    text: str
    """The amount that is charged now; empty when none is."""
    instead: str
    """The price that is not charged; empty when nothing was priced."""
    why: str
    """Why it costs nothing, in words; empty when it is charged."""
    invoice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketView:
    """One ticket, as a row and in detail."""

    id: str
    anchor: str
    subject: Shown
    requester: Shown
    language: str
    tags: tuple[Shown, ...]
    opened_at: str
    happened: Shown
    end: str
    """The outcome's state, or how the task ended, in two or three words."""
    tone: str
    """``good``, ``wait``, ``back``, ``bad``, ``people`` or ``none``: colours, never the only sign."""
    group: str
    """``charged``, ``people`` or ``free``: what the filter shows."""
    finding: str
    evidence_class: str
    charge: ChargeView
    procedure: str
    messages: tuple[MessageView, ...]
    steps: tuple[StepView, ...]
    steps_left_out: int
    pictures: int
    """Screenshots that are embedded here."""
    verdict: VerdictView | None
    outcome_type: str
    about: str
    """The outcome's subject, ``order:10482``."""
    life: tuple[LifeView, ...]
    settles_at: str
    """When the window ends, while it is open."""
    settlement: CheckView | None
    """The second look, when the window ended."""


def ticket_view(
    session: Session,
    ticket: Ticket,
    line: TicketLine,
    task: Task | None,
    outcome: Outcome | None,
    approvals: Sequence[Approval],
    contracts: Mapping[str, SignedContract],
    pictures: Pictures,
    evidence: EvidenceStore,
    *,
    anchor: str,
) -> TicketView:
    """Everything about one ticket. ``contracts`` are those that are kept, by reference."""
    steps, procedure = _steps(session, ticket.tenant, task, approvals, pictures) if task else ([], "")
    verdict = verdict_of_claim(session, ticket.tenant, outcome.id) if outcome else None
    charge = _charge(line)
    return TicketView(
        id=ticket.id,
        anchor=anchor,
        subject=shown(ticket.subject),
        requester=shown(f"{ticket.requester.name} <{ticket.requester.email}>".strip()),
        language=LANGUAGES.get(line.language, line.language),
        tags=tuple(shown(tag, 40) for tag in ticket.tags),
        opened_at=when(ticket.opened_at),
        happened=shown(line.happened, 240),
        end=outcome.state.value if outcome else _ENDS.get(line.task_state, words(line.task_state)),
        tone=_tone(line.outcome),
        group="charged" if charge.charged else "people" if line.task_state == "handed_off" else "free",
        finding=verdict.finding.value if verdict else "",
        evidence_class=verdict.evidence_class.value if verdict and verdict.evidence_class else "",
        charge=charge,
        procedure=procedure,
        messages=tuple(_message(message, ticket) for message in ticket.messages),
        steps=tuple(steps[:MAX_STEPS]),
        steps_left_out=max(0, len(steps) - MAX_STEPS),
        pictures=sum(bool(picture.data) for step in steps[:MAX_STEPS] for picture in step.pictures),
        verdict=verdict_view(verdict, contracts.get(verdict.contract), evidence) if verdict else None,
        outcome_type=words(outcome.outcome_type) if outcome else "",
        about=outcome.subject[:LINE] if outcome else "",
        life=_life(outcome) if outcome else (),
        settles_at=when(outcome.settle_at)
        if outcome and outcome.settle_at and outcome.state is OutcomeState.VERIFIED
        else "",
        settlement=check_view(outcome.settlement) if outcome and outcome.settlement else None,
    )


def _tone(outcome: OutcomeLine | None) -> str:
    if outcome is None:
        return "wait"
    if outcome.outcome_type is None and outcome.state == "void":
        return "none"
    return _TONES.get(outcome.state, "none")


def _message(message: Message, ticket: Ticket) -> MessageView:
    names = {Author.REQUESTER: ticket.requester.name or ticket.requester.email, Author.AGENT: "Agent"}
    return MessageView(
        side=message.author.value,
        who=shown(names.get(message.author, "Staff")),
        at=when(message.at),
        text=shown(message.text, LETTER),
        internal=not message.public,
        automatic=message.automatic,
    )


def _steps(
    session: Session, tenant: str, task: Task, approvals: Sequence[Approval], pictures: Pictures
) -> tuple[list[StepView], str]:
    """(receipts and notes in the order in which they happened, the procedure of the last run)."""
    runs = tables.runs_of_task(session, tenant, task.id)
    asked = {(approval.run_id, approval.step): approval for approval in approvals}
    found: list[tuple[datetime, int, StepView]] = []
    for run, _ in runs:
        for event in tables.events_of_run(session, tenant, run.id):
            noted = _note(event, asked)
            if noted is not None:
                found.append((event.at, 0, noted))
    for receipt in tables.receipts_of_task(session, tenant, task.id):
        found.append((receipt.started_at, 1, _call(receipt, pictures)))
    found.sort(key=lambda step: step[:2])
    return [step for _, _, step in found], runs[-1][0].procedure if runs else ""


def _call(receipt: Receipt, pictures: Pictures) -> StepView:
    return StepView(
        name=receipt.step,
        tool=receipt.tool,
        effect=_EFFECTS[receipt.effect] if receipt.changes_record or receipt.effect is Effect.READ else "message",
        state=receipt.state.value,
        note=shown(""),
        args=tuple((name, value(data)) for name, data in receipt.args.items()),
        result=value(receipt.result, RESULT) if receipt.result is not None else None,
        error=shown(receipt.error, PARAGRAPH) if receipt.error else None,
        at=when(receipt.started_at),
        took=took(receipt.started_at, receipt.finished_at),
        key=receipt.key,
        pictures=tuple(pictures.of(blob) for blob in receipt.evidence if blob.media_type.startswith("image/")),
    )


def _note(event: Event, asked: Mapping[tuple[str, str], Approval]) -> StepView | None:
    """What an event adds to the receipts; None for events that only repeat them."""
    data = event.data
    args: tuple[tuple[str, Shown], ...] = ()
    match event.kind:
        case EventKind.PLAN_MADE:
            text = f"Plan made from procedure {data.get('procedure', '')}"
        case EventKind.STEP_DONE if "holds" in data:
            text = f"Rule holds: {data['holds']}"
        case EventKind.STEP_DONE if "picked" in data:
            text = f"Picked 1 record of {data.get('of', '?')}"
        case EventKind.STEP_SKIPPED:
            text = f"Skipped{_said(event)}"
        case EventKind.STEP_FAILED:
            text = f"Stopped here{_said(event)}"
        case EventKind.APPROVAL_ASKED:
            approval = asked.get((event.run_id, event.step))
            text = f"A person was asked{_said(event)}"
            if approval is not None:
                text += f". {_answer(approval)}"
                args = tuple((name, value(item, 300)) for name, item in approval.args.items())
        case _:
            return None
    return StepView(
        name=event.step, tool="", effect="", state="", note=shown(text, PARAGRAPH), args=args, result=None, error=None,
        at=when(event.at), took="", key="", pictures=(),
    )  # fmt: skip


def _said(event: Event) -> str:
    reason = event.data.get("reason") or event.data.get("error") or event.data.get("code")
    return f": {reason}" if isinstance(reason, str) else ""


def _answer(approval: Approval) -> str:
    who = approval.decided_by or "somebody"
    note = f" ({approval.note})" if approval.note else ""
    match approval.state:
        case ApprovalState.PENDING:
            return "Nobody has answered yet"
        case ApprovalState.REJECTED:
            return f"{who} said no{note}"
        case _:
            return f"{who} said yes to exactly these values{note}"


def _life(outcome: Outcome) -> tuple[LifeView, ...]:
    return tuple(
        LifeView(
            state=step.after.value,
            words=words(step.code),
            code=step.code,
            at=when(step.at),
            tone=_TONES.get(step.after.value, "none"),
        )
        for step in outcome.history
    )


def _charge(line: TicketLine) -> ChargeView:
    outcome = line.outcome
    if outcome is None:
        return ChargeView(charged=False, text="", instead="", why="still under way", invoice="")
    charged = outcome.state in (OutcomeState.SETTLED, OutcomeState.INVOICED)
    price = None if charged else outcome.price_minor
    return ChargeView(
        charged=charged,
        text=amount(outcome.amount_minor, outcome.currency) if charged else "",
        instead=amount(price, outcome.currency) if price is not None else "",
        why="" if charged else _why(outcome),
        invoice=outcome.invoice or "",
    )


def _why(outcome: OutcomeLine) -> str:
    reason = words(outcome.reason)
    match outcome.state:
        case "escalated":
            return f"handed to a person: {reason}"
        case "verified":
            return "its settlement window is open"
        case "claimed":
            return (
                "claimed, not priced: no signed contract was in force" if outcome.reason else "claimed, being verified"
            )
        case _ if outcome.outcome_type is None:
            return f"nothing claimed: {reason}"
        case _:
            return f"{outcome.state}: {reason}"
