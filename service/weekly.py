"""The weekly report as data: what came in, what was resolved and proven, what people had to do, what it costs.

Two rules decide which week something counts in. A task, with all that has become of it until now, counts in the week
in which the requester brought it: when they opened the ticket, for most. So the steps from task to charge are always
steps of the same tasks. Money counts in the week in which it was posted; so charges and credits agree with the ledger
to the cent. Money of different currencies is never added up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from statistics import median_low
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlmodel import Session

from agents import tables
from agents.money import Money
from agents.receipt import REPLY_TOOL, Effect, Receipt, ReceiptState
from agents.task import Task, TaskState
from billing import Outcome, ledger
from billing.outcome import outcomes
from billing.transitions import OutcomeState
from service.reasons import words
from service.satisfaction import ratings

LOW_RATING = 2
"""Ratings up to this one say that the requester is not content."""
_WAITING = (TaskState.WAITING_REQUESTER, TaskState.WAITING_APPROVAL)
_CAME_BACK = ("reopened_before_settlement", "same_subject_reopened")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReasonCount(_Model):
    """How many tasks were handed off for one reason."""

    code: str
    words: str
    """The code in a few words."""
    count: int


class Satisfaction(_Model):
    """What requesters said: ratings from 1 (bad) to 5 (good)."""

    count: int
    """Rated tickets."""
    mean: float | None
    """Two decimal places; None without ratings."""
    low: int
    """Ratings of 1 or 2."""
    low_share: float | None
    """Of all ratings, 0 to 1, three decimal places; None without ratings."""


class Times(_Model):
    """How long something took, in whole seconds. Both are times that really occurred, never averages of two."""

    count: int
    median_seconds: int | None
    """None where nothing was measured."""
    p90_seconds: int | None
    """Nine of ten took no longer."""


class Effort(_Model):
    """What the work took. Procedures call no models, so there is no model's price; these are what is recorded."""

    runs: int
    reads: int
    changes: int
    messages: int
    """Tool calls by what they do: read a record, change one, write to the requester."""
    not_done: int
    """Tool calls among these that failed or whose effect is not certain."""
    tool_seconds: int
    """Time spent in tools, their browser included; calls that did not come back are left out."""
    approvals: int
    """Questions to people."""


class Figures(_Model):
    """The figures of a week, of the whole period, or of a part of its tickets."""

    tickets: int
    """With a task that was brought in the period."""
    tasks: int
    """Issues that were brought in the period. What is no money below counts these, or says what it counts."""
    resolved: int
    """The agents claim that they are done: ``verified + rejected + void_unverified + undecided``."""
    verified: int
    """The evaluators proved the claim: ``charged + in_window + void_verified``."""
    charged: int
    """The settlement window passed; ``reversed`` are among them."""
    reversed: int
    """Charged, and taken back."""
    rejected: int
    """Claimed, and not proven or not billable."""
    void_unverified: int
    void_verified: int
    """Void: taken back before it was charged, proven or not."""
    undecided: int
    """Claimed; the evaluators' answer or a signed contract is still missing."""
    in_window: int
    """Proven; the settlement window is open."""
    reopened: int
    """Tasks whose requester came back after they were resolved."""
    handed_off: int
    handed_off_after_claim: int
    """Of these, those that were claimed first."""
    waiting: int
    """For the requester, or for an approval."""
    answered: int
    """The requester was answered, and nothing is claimed."""
    excluded: int
    """Not worked on: spam, for example."""
    under_way: int
    reasons: tuple[ReasonCount, ...]
    """Of all that were handed off, most frequent first."""
    satisfaction: Satisfaction
    """Of the tickets."""
    first_reply: Times
    """From bringing an issue to the agent's next reply; the notice that a person takes over does not count."""
    resolution: Times
    """From bringing an issue to the claim."""
    effort: Effort
    charges: tuple[Money, ...]
    """Posted in the period, whenever the ticket was opened; one amount per currency."""
    credits: tuple[Money, ...]
    """Charges taken back in the period, likewise."""
    net: tuple[Money, ...]
    """Charges less credits."""


class Week(_Model):
    """One week, from Monday on; the first and the last may be cut by the period."""

    first: date
    last: date
    complete: bool
    """False while it is not over."""
    figures: Figures


class Group(_Model):
    """The part of the figures that shares something."""

    name: str
    """Empty for tasks that have none: no procedure chosen, for example."""
    figures: Figures


class WeeklyReport(_Model):
    """What `settle report` says, in whichever form."""

    tenant: str
    timezone: str
    """In which days and weeks begin: the contract's."""
    first: date
    last: date
    """Both included."""
    as_of: AwareDatetime
    """Everything is as it stood then."""
    total: Figures
    weeks: tuple[Week, ...]
    by_procedure: tuple[Group, ...]
    """``name@version`` of the task's last run."""
    by_outcome: tuple[Group, ...]
    """The outcome type that was claimed last; tasks without a claim are in none."""
    by_language: tuple[Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Whole days of one time zone."""

    first: date
    last: date
    """Included."""
    timezone: ZoneInfo

    @classmethod
    def weeks_until(cls, now: datetime, weeks: int, timezone: ZoneInfo) -> Period:
        """The week of ``now`` and those before it, ``weeks`` in all, Monday to Sunday."""
        today = now.astimezone(timezone).date()
        monday = today - timedelta(days=today.weekday())
        return cls(first=monday - timedelta(weeks=weeks - 1), last=monday + timedelta(days=6), timezone=timezone)

    @property
    def start(self) -> datetime:
        """Its first moment, in UTC."""
        return _midnight(self.first, self.timezone)

    @property
    def end(self) -> datetime:
        """The first moment after it, in UTC."""
        return _midnight(self.last + timedelta(days=1), self.timezone)

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def weeks(self) -> tuple[Period, ...]:
        """Its weeks, Monday to Sunday, the first and the last cut to what lies within."""
        found, first = [], self.first
        while first <= self.last:
            last = min(first + timedelta(days=6 - first.weekday()), self.last)
            found.append(Period(first=first, last=last, timezone=self.timezone))
            first = last + timedelta(days=1)
        return tuple(found)


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
    """The tasks opened in the period, and those behind its charges and credits."""
    by_task: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in sorted(outcomes(session, tenant=tenant), key=lambda one: (one.claimed_at, one.id)):
        by_task[outcome.task_id].append(outcome)
    by_ticket: dict[str, list[Task]] = defaultdict(list)
    for task in tables.tasks(session, tenant):
        if task.opened_at in period or any(outcome.id in charged for outcome in by_task[task.id]):
            by_ticket[task.ticket_id].append(task)
    rated = ratings(session, tenant)
    return [
        one for ticket_id, own in by_ticket.items() for one in _of_ticket(session, own, by_task, rated.get(ticket_id))
    ]


def _of_ticket(
    session: Session, own: Sequence[Task], by_task: Mapping[str, Sequence[Outcome]], rating: int | None
) -> Iterator[_Record]:
    """The tasks ``own`` of one ticket. A reply may have been written for several of its tasks at once."""
    tenant, ticket_id = own[0].tenant, own[0].ticket_id
    receipts = {
        task.id: tables.receipts_of_task(session, tenant, task.id)
        for task in tables.tasks_of_ticket(session, tenant, ticket_id)
    }
    replies = [
        one.finished_at
        for some in receipts.values()
        for one in some
        if one.tool == REPLY_TOOL and one.state is ReceiptState.DONE and one.finished_at is not None
    ]
    for task in own:
        runs = tables.runs_of_task(session, tenant, task.id)
        yield _Record(
            task=task,
            procedure=runs[-1][0].procedure if runs else "",
            runs=len(runs),
            receipts=receipts[task.id],
            approvals=len(tables.approvals_of_task(session, tenant, task.id)),
            outcomes=by_task[task.id],
            first_reply=min((at - task.opened_at for at in replies if at >= task.opened_at), default=None),
            rating=rating,
        )


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
    receipts = [receipt for one in records for receipt in one.receipts]
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


def _money(amounts: Iterable[tuple[str, int]]) -> tuple[Money, ...]:
    sums: dict[str, int] = {}
    for currency, minor in amounts:
        sums[currency] = sums.get(currency, 0) + minor
    return tuple(Money(minor=minor, currency=currency) for currency, minor in sorted(sums.items()))


def _midnight(day: date, timezone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=timezone).astimezone(UTC)
