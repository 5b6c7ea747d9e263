"""Counting for the weekly report: the tasks of a period with all that became of them, and the money posted in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from statistics import median_low

from sqlmodel import Session

from agents import tables
from agents.money import Money
from agents.policy.approval import ApprovalState
from agents.receipt import REPLY_TOOL, Effect, Receipt, ReceiptState
from agents.task import Task, TaskState
from billing import Outcome, ledger
from billing.outcome import outcomes
from billing.transitions import OutcomeState
from service.model_use import model_use
from service.reasons import words
from service.satisfaction import ratings
from service.weekly.model import (
    Effort,
    Figures,
    Group,
    ModelCost,
    ReasonCount,
    Satisfaction,
    Times,
    Week,
    WeeklyReport,
)
from service.weekly.period import Period

LOW_RATING = 2
"""Ratings up to this one say that the requester is not content."""
_WAITING = (TaskState.WAITING_REQUESTER, TaskState.WAITING_APPROVAL)
_CAME_BACK = ("reopened_before_settlement", "same_subject_reopened")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """One task with everything that is counted."""

    task: Task
    procedure: str
    runs: int
    receipts: Sequence[Receipt]
    approvals: int
    outcomes: Sequence[Outcome]
    """Oldest first; where there are several, the last says how the task stands."""
    first_reply: timedelta | None
    """Until the agent wrote on the ticket for the first time after the requester had brought this."""
    rating: int | None
    """Of its ticket."""

    @property
    def outcome(self) -> Outcome | None:
        """The last one."""
        return self.outcomes[-1] if self.outcomes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Posted:
    """One charge, or a credit with a negative amount."""

    outcome_id: str
    at: datetime
    minor: int
    currency: str


def weekly_report(session: Session, *, tenant: str, period: Period, as_of: datetime) -> WeeklyReport:
    """The report on ``period``. Reads only; the same state and ``as_of`` give the same report."""
    posted = [one for one in _posted(session, tenant) if one.at in period]
    records = _records(session, tenant, period, {one.outcome_id for one in posted})
    opened = [one for one in records if one.task.opened_at in period]
    owner = {outcome.id: one for one in records for outcome in one.outcomes}

    def grouped(key: Callable[[_Record], str]) -> tuple[Group, ...]:
        by_key: dict[str, tuple[list[_Record], list[_Posted]]] = defaultdict(lambda: ([], []))
        for one in opened:
            by_key[key(one)][0].append(one)
        for each in posted:
            by_key[key(owner[each.outcome_id]) if each.outcome_id in owner else ""][1].append(each)
        found = [Group(name=name, figures=_figures(*parts)) for name, parts in by_key.items()]
        return tuple(sorted(found, key=lambda group: (-group.figures.tasks, group.name == "", group.name)))

    return WeeklyReport(
        tenant=tenant,
        timezone=period.timezone.key,
        first=period.first,
        last=period.last,
        as_of=as_of,
        total=_figures(opened, posted),
        weeks=tuple(
            Week(
                first=week.first,
                last=week.last,
                complete=week.end <= as_of,
                figures=_figures(
                    [one for one in opened if one.task.opened_at in week], [one for one in posted if one.at in week]
                ),
            )
            for week in period.weeks()
        ),
        by_procedure=grouped(lambda one: one.procedure),
        by_outcome=tuple(
            group for group in grouped(lambda one: one.outcome.outcome_type if one.outcome else "") if group.name
        ),
        by_language=grouped(lambda one: one.task.language),
    )


def _records(session: Session, tenant: str, period: Period, charged: set[str]) -> list[_Record]:
    """The tasks that were brought in the period, and those behind its charges and credits."""
    by_task: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in sorted(outcomes(session, tenant=tenant), key=lambda one: (one.claimed_at, one.id)):
        by_task[outcome.task_id].append(outcome)
    asked = Counter(one.task_id for state in ApprovalState for one in tables.approvals(session, tenant, state))
    rated = ratings(session, tenant)
    found = []
    for ticket_id, tasks in groupby(tables.tasks(session, tenant), key=lambda task: task.ticket_id):
        of_ticket = list(tasks)
        counted = {
            task.id
            for task in of_ticket
            if task.opened_at in period or any(outcome.id in charged for outcome in by_task[task.id])
        }
        if not counted:
            continue
        receipts = {task.id: tables.receipts_of_task(session, tenant, task.id) for task in of_ticket}
        replies = _replies(receipts.values())
        for task in of_ticket:
            if task.id in counted:
                runs = tables.runs_of_task(session, tenant, task.id)
                found.append(
                    _Record(
                        task=task,
                        procedure=runs[-1][0].procedure if runs else "",
                        runs=len(runs),
                        receipts=receipts[task.id],
                        approvals=asked[task.id],
                        outcomes=by_task[task.id],
                        first_reply=min((at - task.opened_at for at in replies if at >= task.opened_at), default=None),
                        rating=rated.get(ticket_id),
                    )
                )
    return found


def _replies(receipts: Iterable[Sequence[Receipt]]) -> list[datetime]:
    """When the agent wrote on a ticket; one reply may answer several of its tasks."""
    return [
        one.finished_at
        for some in receipts
        for one in some
        if one.tool == REPLY_TOOL and one.state is ReceiptState.DONE and one.finished_at is not None
    ]


def _posted(session: Session, tenant: str) -> list[_Posted]:
    """Every charge and every credit, from the ledger: what was posted to revenue."""
    return [
        _Posted(outcome_id=entry.source.partition(":")[2], at=entry.at, minor=-posting.minor, currency=posting.currency)
        for entry in ledger.entries(session, tenant=tenant)
        for posting in entry.postings
        if posting.account.startswith(ledger.revenue(""))
    ]


def _figures(records: Sequence[_Record], posted: Sequence[_Posted]) -> Figures:
    states = Counter(one.task.state for one in records)
    claimed = [one.outcome for one in records if one.outcome]
    verified = Counter(outcome.state for outcome in claimed if outcome.verified_at)
    unverified = Counter(outcome.state for outcome in claimed if not outcome.verified_at)
    handed_off = [one for one in records if one.task.state is TaskState.HANDED_OFF]
    reasons = Counter(one.task.reason for one in handed_off)
    return Figures(
        tickets=len({one.task.ticket_id for one in records}),
        tasks=len(records),
        resolved=len(claimed),
        verified=verified.total(),
        charged=sum(outcome.settled_at is not None for outcome in claimed),
        reversed=verified[OutcomeState.REVERSED],
        rejected=unverified[OutcomeState.REJECTED],
        void_unverified=unverified[OutcomeState.VOID],
        void_verified=verified[OutcomeState.VOID],
        undecided=unverified[OutcomeState.CLAIMED],
        in_window=verified[OutcomeState.VERIFIED],
        reopened=sum(_came_back(one) for one in records),
        handed_off=len(handed_off),
        handed_off_after_claim=sum(one.outcome is not None for one in handed_off),
        waiting=sum(states[state] for state in _WAITING),
        answered=states[TaskState.ANSWERED],
        excluded=states[TaskState.EXCLUDED],
        under_way=states[TaskState.OPEN],
        reasons=tuple(
            ReasonCount(code=code, words=words(code), count=count)
            for code, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
        ),
        satisfaction=_satisfaction({one.task.ticket_id: one.rating for one in records if one.rating}.values()),
        first_reply=_times(one.first_reply for one in records if one.first_reply is not None),
        resolution=_times(one.outcome.claimed_at - one.task.opened_at for one in records if one.outcome),
        effort=_effort(records),
        models=_models(records, resolved=len(claimed), verified=verified.total()),
        charges=_money((one.currency, one.minor) for one in posted if one.minor > 0),
        credits=_money((one.currency, -one.minor) for one in posted if one.minor < 0),
        net=_money((one.currency, one.minor) for one in posted),
    )


def _came_back(record: _Record) -> bool:
    return record.task.reason == "reopened" or any(outcome.code in _CAME_BACK for outcome in record.outcomes)


def _satisfaction(stars: Iterable[int]) -> Satisfaction:
    found = list(stars)
    low = sum(rating <= LOW_RATING for rating in found)
    return Satisfaction(
        count=len(found),
        mean=round(sum(found) / len(found), 2) if found else None,
        low=low,
        low_share=round(low / len(found), 3) if found else None,
    )


def _times(spans: Iterable[timedelta]) -> Times:
    seconds = sorted(span // timedelta(seconds=1) for span in spans)
    nine_of_ten = seconds[-(-9 * len(seconds) // 10) - 1] if seconds else None
    return Times(count=len(seconds), median_seconds=median_low(seconds) if seconds else None, p90_seconds=nine_of_ten)


def _effort(records: Iterable[_Record]) -> Effort:
    records = list(records)
    receipts = [receipt for one in records for receipt in one.receipts if not receipt.of_model]
    spent = sum((one.finished_at - one.started_at for one in receipts if one.finished_at is not None), timedelta())
    return Effort(
        runs=sum(one.runs for one in records),
        reads=sum(one.effect is Effect.READ for one in receipts),
        changes=sum(one.changes_record for one in receipts),
        messages=sum(one.tool == REPLY_TOOL for one in receipts),
        not_done=sum(one.state is not ReceiptState.DONE for one in receipts),
        tool_seconds=round(spent / timedelta(seconds=1)),
        approvals=sum(one.approvals for one in records),
    )


def _models(records: Sequence[_Record], *, resolved: int, verified: int) -> ModelCost:
    used = model_use(receipt for one in records for receipt in one.receipts)
    return ModelCost(
        **used.model_dump(),
        calls_per_resolved=round(used.calls / resolved, 2) if resolved else None,
        micros_per_resolved=used.micros_each(resolved),
        micros_per_verified=used.micros_each(verified),
    )


def _money(amounts: Iterable[tuple[str, int]]) -> tuple[Money, ...]:
    sums: dict[str, int] = {}
    for currency, minor in amounts:
        sums[currency] = sums.get(currency, 0) + minor
    return tuple(Money(minor=minor, currency=currency) for currency, minor in sorted(sums.items()))
