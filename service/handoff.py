"""The note that a person finds when a task is handed off: what it is about, why it stopped, and all that is known.

Plain text for any helpdesk. Every heading and every word outside quotes is ours. What comes from outside (names,
values, files) stands on one line behind a dash, without characters that could make it a heading, a link or markup;
the requester's sentences stay in the thread and are not repeated.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue, ValidationError
from sqlmodel import Session

from agents import tables
from agents.claim import Claim
from agents.money import Money
from agents.planner.plan import OpenStep, Plan, ToolStep
from agents.policy.approval import Approval, ApprovalState
from agents.policy.labels import UNTRUSTED, Integrity, Label, Labelled
from agents.receipt import MODEL_PREFIX, REPLY_TOOL, Effect, Receipt, ReceiptState
from agents.task import Run, Task
from agents.ticket import Attachment, Ticket
from agents.tools import Toolbox
from evaluators import Finding, Verdict
from evaluators.tables import verdict_of_claim
from service.reasons import VERDICTS, stop_of
from service.shown import harmless, minute

MAX_LINE = 240
"""Characters of one line, the reply's apart."""
MAX_VALUE = 120
"""Characters of one value."""
MAX_REPLY, MAX_REPLY_LINES = 3_000, 80
"""Characters and lines of the suggested reply."""
MAX_ROWS = {"Facts found": 24, "Steps": 24, "Approvals": 8, "Files from the requester": 10, "Evidence": 12, "Open": 12}
"""Lines of each part; how many more there are is said."""
MAX_RECORDS = 2
"""Records of a list that are shown, of those that the requester names or else of all."""

_SECRET = re.compile(
    r"passw|secret|token|api_?key|credential|authoriz|cvv|cvc|iban|card_?number|\bpin\b", re.IGNORECASE
)
_PLAIN = re.compile(r"[\w.:@/+#-]{1,40}")
"""An identifier or a single word: it cannot tell anybody to do something."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
_MARKUP = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "`": "'", "*": "·", "|": "/", "“": "'", "”": "'"})
_SIZES = ((1_000_000, "MB"), (1_000, "kB"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A procedure that came into question."""

    name: str
    sure: float
    """How probably it fits, 0 to 1, looked at alone: the sum may be more than 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff:
    """Everything that a person is told about a task that they take over."""

    task: Task
    ticket: Ticket
    code: str
    """A key of `service.reasons.STOPS`, or a code of the deployment's own tools."""
    reason: str
    """What exactly happened, as the step that stopped says it."""
    runs: Sequence[Run] = ()
    plan: Plan | None = None
    """Of the last run, as it was when that started; None where none was started or it is gone."""
    candidates: Sequence[Candidate] = ()
    """Likeliest first, where no procedure was chosen."""
    receipts: Sequence[Receipt] = ()
    """Oldest first."""
    approvals: Sequence[Approval] = ()
    claim: Claim | None = None
    verdict: Verdict | None = None
    next_reply: str = ""
    """What the run would have told the requester next, where that is still true (`Executor.next_reply`)."""
    holding_reply: str = ""
    """What the requester is told meanwhile, in their language."""
    holding_sent: bool = True
    """The requester was sent `holding_reply` already."""
    answered_at: datetime | None = None
    """When the agent last wrote to the requester about anything on the ticket; None if it never did."""
    issue: str = ""
    """Which of the ticket's issues this is, ``issue 2 of 3``; empty where there is one."""


def gather_handoff(session: Session, task: Task, ticket: Ticket, *, code: str, reason: str) -> Handoff:
    """What the app database knows about ``task``; the plan and the replies are for the caller to add."""
    claim = tables.claim_of(session, task.tenant, f"{task.id}:claim")
    tasks = [one.id for one in tables.tasks_of_ticket(session, task.tenant, task.ticket_id)]
    receipts = {one: tables.receipts_of_task(session, task.tenant, one) for one in tasks}
    replies = [one for some in receipts.values() for one in some if one.tool == REPLY_TOOL and _done(one)]
    several = len(tasks) > 1 and task.id in tasks
    return Handoff(
        task=task,
        ticket=ticket,
        code=code,
        reason=reason,
        runs=[run for run, _ in tables.runs_of_task(session, task.tenant, task.id)],
        receipts=receipts.get(task.id, ()),
        approvals=tables.approvals_of_task(session, task.tenant, task.id),
        claim=claim,
        verdict=verdict_of_claim(session, task.tenant, claim.id) if claim else None,
        answered_at=max((one.finished_at or one.started_at for one in replies), default=None),
        issue=f"issue {tasks.index(task.id) + 1} of {len(tasks)}" if several else "",
    )


def handoff_note(handoff: Handoff, toolbox: Toolbox) -> str:
    """The internal note as plain text of bounded length. ``toolbox`` knows which results are words from outside."""
    stop = stop_of(handoff.code)
    parts = [
        "\n".join(
            (
                _line(f"Handed off by Settle: {_intent(handoff)}"),
                _line(f"Why it stopped: {stop.why} ({_clean(handoff.code)})"),
                *([_line(f"- {_clean(handoff.reason)}")] if handoff.reason else ()),
                f"What to do next: {stop.next}",
            )
        )
    ]
    for heading, lines in (
        ("Facts found", _facts(handoff, toolbox)),
        ("Steps", _steps(handoff.receipts)),
        ("Approvals", map(_approval, handoff.approvals)),
        ("Open", _open(handoff)),
        ("Files from the requester", _files(handoff.ticket)),
        ("Evidence", _evidence(handoff)),
    ):
        parts += _part(heading, list(lines))
    return "\n\n".join([*parts, _reply(handoff)])


def _intent(handoff: Handoff) -> str:
    """What it is about: the procedure that was chosen, or those that came into question, and the ticket's subject."""
    about = f", {_quoted(handoff.claim.subject)}" if handoff.claim and handoff.claim.subject else ""
    if handoff.runs:
        chosen = handoff.runs[-1].procedure
        intent = f"{chosen.partition('@')[0].replace('-', ' ')} (procedure {chosen}){about}"
    elif handoff.candidates:
        near = ", ".join(f"{each.name.replace('-', ' ')} ({each.sure:.0%})" for each in handoff.candidates[:3])
        intent = f"no procedure chosen; nearest: {near}"
    else:
        intent = "no procedure chosen"
    which = f"{handoff.issue}: " if handoff.issue else ""
    subject, language = _quoted(handoff.ticket.subject), _clean(handoff.task.language)
    return f"{which}{intent}; subject line {subject}; language {language}"


def _facts(handoff: Handoff, toolbox: Toolbox) -> Iterator[str]:
    """What was read, the newest reading of each step: ``name: value``."""
    newest = {
        one.step: one for one in handoff.receipts if one.effect is Effect.READ and not one.of_model and _done(one)
    }
    changes = [
        one.started_at for one in handoff.receipts if one.changes_record and one.state is not ReceiptState.FAILED
    ]
    said = " ".join(handoff.ticket.own_words())
    for receipt in newest.values():
        tool = toolbox.get(receipt.tool)
        args = {
            name: Labelled(data=value, label=Label(integrity=Integrity.SYSTEM)) for name, value in receipt.args.items()
        }
        value = Labelled(data=receipt.result, label=UNTRUSTED)
        if tool is not None and tool.owned_by in (None, *args):
            value = tool.labelled(receipt.result, step=receipt.step, args=args, requester=handoff.task.requester.email)
        at = receipt.finished_at or receipt.started_at
        early = ", before the change that is listed below" if any(at <= change for change in changes) else ""
        lines = [f"- {name}: {text}" for name, text in _fields(value, said)]
        yield f"{_clean(receipt.tool)}, read {minute(at)}{early}{':' if lines else ': nothing found'}"
        yield from lines


def _fields(value: Labelled, said: str) -> Iterator[tuple[str, str]]:
    """(name, value in words) of everything in a result."""
    if not isinstance(value.data, dict):
        yield "answer", _fact(value, "")
        return
    currency = value.data.get("currency")
    for name, item in value.data.items():
        short, shown = name.removesuffix("_minor"), _clean(name)
        if item is None or item == "" or name == "currency" or (short != name and short in value.data):
            continue
        if isinstance(item, list) and any(isinstance(each, dict) for each in item):
            yield from _records(value.at((name,)), shown, said)
        elif isinstance(item, list) or (isinstance(item, dict) and not _money(item)):
            yield shown, f"{len(item)} {'entries' if isinstance(item, list) else 'fields'}"
        elif isinstance(item, bool):
            yield shown, "yes" if item else "no"
        elif short != name and isinstance(item, int) and (money := _money({"minor": item, "currency": currency})):
            yield _clean(short), money
        else:
            yield shown, _fact(value.at((name,)), name)


def _records(value: Labelled, name: str, said: str) -> Iterator[tuple[str, str]]:
    """A list of records: the one that the requester names in full, of others a line each."""
    assert isinstance(value.data, list), "a list of records"
    records = [value.at((place,)) for place in range(len(value.data))]
    named = [record for record in records if _is_named(record.data, said)]
    if len(named or records) == 1:
        more = f"{len(records)}, of which the requester names this one" if len(records) > 1 else "1"
        yield name, more
        yield from _fields((named or records)[0], said)
        return
    few = (named or records)[:MAX_RECORDS]
    yield name, f"{len(records)}, of which the requester names {len(named) or 'none'}"
    for record in few:
        yield "one of them", "; ".join(f"{field} {text}" for field, text in _fields(record, said))


def _is_named(record: JsonValue, said: str) -> bool:
    """True if the requester wrote one of the record's identifiers."""
    texts = [item for item in record.values() if isinstance(item, str)] if isinstance(record, dict) else [record]
    return any(isinstance(one, str) and len(one) >= 4 and _PLAIN.fullmatch(one) and one in said for one in texts)


def _fact(value: Labelled, name: str) -> str:
    """One value. Sentences that nobody vouches for are not repeated: they could tell the reader to do something."""
    if _SECRET.search(name):
        return "(not shown)"
    if isinstance(value.data, str) and value.label.integrity < Integrity.DIRECTORY and not _PLAIN.fullmatch(value.data):
        return f"(words from outside, {len(value.data)} characters, not repeated here)"
    return _text(value.data)


def _steps(receipts: Sequence[Receipt]) -> Iterator[str]:
    """What was done, what is not certain, what failed, in that order."""
    done = Counter(_did(one) for one in receipts if _done(one))
    yield from (f"- done: {what}{f', {times} times' if times > 1 else ''}" for what, times in done.items())
    for receipt in receipts:
        if receipt.state is ReceiptState.ABOUT_TO:
            yield f"- not certain: {_call(receipt.tool, receipt.args)} was begun, and may have happened"
    for receipt in receipts:
        if receipt.state is ReceiptState.FAILED:
            yield f"- failed, and changed nothing: {_clean(receipt.tool)}: {_text(receipt.error)}"
    if not receipts:
        yield "- nothing was done"


def _did(receipt: Receipt) -> str:
    if receipt.tool == REPLY_TOOL:
        return f"told the requester ({_clean(receipt.step)}; the text is in the thread)"
    if receipt.of_model:
        return f"asked {_clean(receipt.tool.removeprefix(MODEL_PREFIX))}"
    return f"{'changed' if receipt.changes_record else 'read'} {_call(receipt.tool, receipt.args)}"


def _approval(approval: Approval) -> str:
    asked = f"- {_call(approval.tool, approval.args)}: "
    who = _text(approval.decided_by) or "somebody"
    note = f": {_quoted(approval.note)}" if approval.note else ""
    match approval.state:
        case ApprovalState.PENDING:
            return f"{asked}nobody has answered (valid until {minute(approval.expires_at)})"
        case ApprovalState.REJECTED:
            return f"{asked}{who} said no{note}"
        case _:
            return f"{asked}{who} said yes{note}{', and it was used' if approval.state is ApprovalState.USED else ''}"


def _open(handoff: Handoff) -> Iterator[str]:
    """What nobody has done yet."""
    finding = handoff.verdict.finding if handoff.verdict else None
    if handoff.verdict is not None and finding is not Finding.PASSED:
        code = handoff.verdict.code
        yield f"- the evaluators: {VERDICTS.get(code) or _clean(code)}"
    for receipt in handoff.receipts:
        if receipt.state is ReceiptState.ABOUT_TO:
            yield f"- find out whether {_clean(receipt.tool)} took effect"
    made = {receipt.step for receipt in handoff.receipts if receipt.state is not ReceiptState.FAILED}
    for step in handoff.plan.steps if handoff.plan else ():
        if isinstance(step, ToolStep) and step.id not in made:
            yield f"- not done: {_clean(step.tool)} (step {_clean(step.id)})"
        if isinstance(step, OpenStep) and f"{step.id}.1" not in made:
            yield f"- not done: {_text(step.goal)} (step {_clean(step.id)})"
    wrote = max((one.at for one in handoff.ticket.requester_messages()), default=None)
    if handoff.answered_at is None:
        yield "- the requester has no answer to their question yet"
    elif wrote is not None and wrote > handoff.answered_at:
        yield f"- the requester's message of {minute(wrote)} has no answer yet"


def _files(ticket: Ticket) -> Iterator[str]:
    for message in ticket.requester_messages():
        for file in message.attachments:
            kept = f", sha256 {file.sha256[:12]}" if file.sha256 else ""
            refused = f", not kept: {_text(file.refused)}" if file.refused else ""
            what = f"{_text(file.media_type)}, {_size(file)}"
            yield f"- {_quoted(file.name)} ({what}), {minute(message.at)}{kept}{refused}"


def _evidence(handoff: Handoff) -> Iterator[str]:
    for receipt in handoff.receipts:
        for blob in receipt.evidence:
            yield f"- {_text(blob.label)} ({_text(blob.media_type)}), sha256 {blob.sha256[:12]}"
    yield f"Everything, step by step: settle runs show {_clean(handoff.ticket.id)}"


def _reply(handoff: Handoff) -> str:
    """The suggested reply, each line marked, so that nothing in it can pass for a part of this note."""
    known = "" if handoff.claim else handoff.next_reply  # what was claimed was told already
    suggested = known or ("" if handoff.holding_sent else handoff.holding_reply)
    if suggested:
        heading = "Suggested reply (a suggestion, not sent; read it before you send it):"
    elif handoff.holding_reply:
        suggested, heading = handoff.holding_reply, "Already sent to the requester; no other reply is known to be true:"
    else:
        return "Suggested reply: none; no reply is known to be true."
    text = harmless(suggested[:MAX_REPLY])
    return "\n".join([heading, *(f"> {line}" for line in text.splitlines()[:MAX_REPLY_LINES])])


def _part(heading: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    most = MAX_ROWS[heading]
    kept = [_line(line) for line in lines[:most]]
    more = [f"- and {len(lines) - most} more" for _ in (1,) if len(lines) > most]
    return ["\n".join([f"{heading}:", *kept, *more])]


def _call(tool: str, args: Mapping[str, JsonValue]) -> str:
    values = (
        f"{_clean(name)} {'(not shown)' if _SECRET.search(name) else _quoted_argument(value)}"
        for name, value in sorted(args.items())
    )
    return f"{_clean(tool)} ({', '.join(values)})" if args else _clean(tool)


def _quoted_argument(value: JsonValue) -> str:
    return _quoted(value) if isinstance(value, str) and not _PLAIN.fullmatch(value) else _text(value)


def _quoted(value: str) -> str:
    return f"“{_text(value)}”"


def _text(value: JsonValue) -> str:
    """Any value on one line, cut where it is long, with nothing in it that a helpdesk would render."""
    money = _money(value)
    if money:
        return money
    if isinstance(value, str) and _TIME.fullmatch(value):
        return minute(datetime.fromisoformat(value))
    return _cut(_clean(value if isinstance(value, str) else str(value)), MAX_VALUE)


def _clean(text: str) -> str:
    """One line without markup; addresses of pages are broken up, so that nobody follows one by accident."""
    return " ".join(harmless(text).translate(_MARKUP).replace("://", ":/ /").split())


def _line(text: str) -> str:
    return _cut(text, MAX_LINE)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _money(value: JsonValue) -> str:
    if not isinstance(value, dict) or len(value) != 2:
        return ""
    try:
        return Money.model_validate(value).text()
    except ValidationError:
        return ""


def _size(file: Attachment) -> str:
    unit = next(((n, name) for n, name in _SIZES if file.size >= n), (1, "bytes"))
    return f"{file.size // unit[0]} {unit[1]}"


def _done(receipt: Receipt) -> bool:
    return receipt.state is ReceiptState.DONE
