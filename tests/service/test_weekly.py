"""The weekly report: every figure is what the tickets' stories say, in the week where it belongs."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.money import Money
from billing import ledger, reconcile
from service.database import Database
from service.model_use import NOT_ASKED
from service.weekly import Figures, Group, Period, WeeklyReport, weekly_report
from tests.service.weeks import CLAIMED, DAY, HOUR, MINUTE, MONDAY, PRICES, RETURNS, SETTLES, End, Issue, Story, tell

BERLIN = ZoneInfo("Europe/Berlin")
PERIOD = Period(first=date(2026, 10, 5), last=date(2026, 11, 1), timezone=BERLIN)
"""Four weeks, in which Berlin goes back to winter time."""
AS_OF = MONDAY + timedelta(days=21)
TENANTS = count(1)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path_factory.mktemp('weekly') / 'app.db'}")
    made.upgrade()
    yield made
    made.close()


def reported(database: Database, stories: Sequence[Story], period: Period = PERIOD) -> WeeklyReport:
    """The report on a tenant of its own that has these tickets."""
    tenant = f"tenant-{next(TENANTS)}"
    with database.transaction() as session:
        tell(session, tenant, stories)
    with database.reading() as session:
        return weekly_report(session, tenant=tenant, period=period, as_of=AS_OF)


def week_of(at: datetime) -> date:
    """The Monday before, counted otherwise than by the report: by the ISO calendar."""
    year, week, _ = at.astimezone(BERLIN).date().isocalendar()
    return date.fromisocalendar(year, week, 1)


# An independent count, from the stories alone.


Chosen = Callable[[Story, Issue], bool]


def counted(
    stories: Sequence[Story], chosen: Chosen, posted: Chosen, when: Callable[[datetime], bool]
) -> dict[str, object]:
    """What the figures should be: of the issues that are ``chosen``, and of the money of those that are ``posted``."""
    found = [(n, s, i) for n, s in enumerate(stories) for i in s.issues if when(s.opened_at) and chosen(s, i)]
    ends = Counter(i.end for _, _, i in found)
    ratings = {n: s.rating for n, s, _ in found if s.rating}.values()
    handed = [i.reason if i.end is End.HANDED else "reopened" if i.end in (End.VOID, End.REVERSED) else "not_proven"
              for _, _, i in found if i.end in (End.HANDED, End.VOID, End.REVERSED, End.REJECTED)]  # fmt: skip
    charges = credits = 0
    for story in stories:
        for issue in story.issues:
            at = story.opened_at + issue.claimed_after
            if issue.end in (End.CHARGED, End.REVERSED) and issue.procedure and posted(story, issue):
                charges += PRICES[issue.outcome_type] if when(at + SETTLES) else 0
                credits += PRICES[issue.outcome_type] if issue.end is End.REVERSED and when(at + RETURNS) else 0
    replies = [
        min(written)
        for _, story, _ in found
        if (written := [i.replied_after for i in story.issues if i.replied_after is not None and i.procedure])
    ]
    answers = [micros for _, _, i in found if i.procedure for micros in i.answers]
    return {
        "tickets": len({n for n, _, _ in found}),
        "tasks": len(found),
        "resolved": sum(ends[end] for end in CLAIMED),
        "verified": ends[End.CHARGED] + ends[End.WINDOW] + ends[End.VOID] + ends[End.REVERSED],
        "charged": ends[End.CHARGED] + ends[End.REVERSED],
        "reversed": ends[End.REVERSED],
        "rejected": ends[End.REJECTED],
        "void_unverified": 0,
        "void_verified": ends[End.VOID],
        "undecided": ends[End.UNDECIDED],
        "in_window": ends[End.WINDOW],
        "reopened": ends[End.VOID] + ends[End.REVERSED],
        "handed_off": len(handed),
        "handed_off_after_claim": ends[End.VOID] + ends[End.REVERSED] + ends[End.REJECTED],
        "waiting": ends[End.WAITING] + ends[End.APPROVAL],
        "answered": ends[End.ANSWERED],
        "excluded": ends[End.SPAM],
        "under_way": ends[End.OPEN],
        "reasons": dict(Counter(handed)),
        "ratings": (len(ratings), round(statistics.mean(ratings), 2) if ratings else None, sum(r < 3 for r in ratings)),
        "replies": len(replies),
        "fastest": replies[0] // timedelta(seconds=1) if len(replies) == 1 else None,
        "charges": charges,
        "credits": credits,
        "reads": sum(bool(i.procedure) for _, _, i in found),
        "approvals": sum(i.end is End.APPROVAL for _, _, i in found),
        "tool_seconds": sum(2 for _, _, i in found if i.procedure),
        "models": (len(answers), 1_024 * len(answers), sum(filter(None, answers)), answers.count(None)),
    }  # fmt: skip


def said(figures: Figures) -> dict[str, object]:
    """The same, as the report says it."""
    names = (
        "tickets", "tasks", "resolved", "verified", "charged", "reversed", "rejected", "void_unverified",
        "void_verified", "undecided", "in_window", "reopened", "handed_off", "handed_off_after_claim", "waiting",
        "answered", "excluded", "under_way",
    )  # fmt: skip
    rated = figures.satisfaction
    return {name: getattr(figures, name) for name in names} | {
        "reasons": {one.code: one.count for one in figures.reasons},
        "ratings": (rated.count, rated.mean, rated.low),
        "replies": figures.first_reply.count,
        "fastest": figures.first_reply.median_seconds if figures.first_reply.count == 1 else None,
        "charges": sum(one.minor for one in figures.charges),
        "credits": sum(one.minor for one in figures.credits),
        "reads": figures.effort.reads,
        "approvals": figures.effort.approvals,
        "tool_seconds": figures.effort.tool_seconds,
        "models": (figures.models.calls, figures.models.tokens, figures.models.micros, figures.models.uncounted),
    }


def always(story: Story, issue: Issue) -> bool:
    return True


MOMENTS = st.integers(0, 27 * 24 * 60).map(lambda minutes: MONDAY + timedelta(minutes=minutes))
ISSUES = st.builds(
    Issue,
    end=st.sampled_from(End),
    procedure=st.sampled_from(["refund-damaged-item@3", "refund-damaged-item@4", "where-is-my-order@1"]),
    outcome_type=st.sampled_from(sorted(PRICES)),
    claimed_after=st.integers(1, 4_000).map(lambda minutes: timedelta(minutes=minutes)),
    reason=st.sampled_from(["no_procedure", "approval_rejected", "tool_failed"]),
    replied_after=st.none() | st.integers(0, 90).map(lambda minutes: timedelta(minutes=minutes)),
    answers=st.lists(st.none() | st.integers(0, 2_000_000), max_size=3).map(tuple),
)
STORIES = st.lists(
    st.builds(
        Story,
        opened_at=MOMENTS,
        issues=st.lists(ISSUES, min_size=1, max_size=2).map(tuple).filter(
            lambda issues: not (len(issues) > 1 and any(i.end in (End.VOID, End.REVERSED) for i in issues))
        ),
        language=st.sampled_from(["en", "de", "zh"]),
        rating=st.none() | st.integers(1, 5),
    ),
    max_size=8,
)  # fmt: skip
"""A requester who comes back reopens all of their ticket, so such tickets have one issue here."""


@settings(max_examples=60)
@given(STORIES)
@example([])
def test_every_figure_is_what_the_stories_say(database: Database, stories: list[Story]) -> None:
    report = reported(database, stories)
    whole = counted(stories, always, always, lambda at: at in PERIOD)
    assert said(report.total) == whole
    for week in report.weeks:
        assert said(week.figures) == counted(stories, always, always, lambda at, w=week: week_of(at) == w.first)  # type: ignore[misc]
    parts: list[tuple[Sequence[Group], Callable[[Story, Issue], str | None]]] = [
        (report.by_procedure, lambda story, issue: issue.procedure),
        (report.by_language, lambda story, issue: story.language),
        (report.by_outcome, lambda story, issue: issue.outcome_type if issue.end in CLAIMED else None),
    ]
    for groups, key in parts:
        keys = {key(story, issue) for story in stories for issue in story.issues}
        for group in groups:
            assert group.name in keys
            same: Chosen = lambda story, issue, k=key, g=group: k(story, issue) == g.name  # type: ignore[misc]  # noqa: E731
            assert said(group.figures) == counted(stories, same, same, lambda at: at in PERIOD)
    assert sum(group.figures.tasks for group in report.by_procedure) == report.total.tasks
    assert sum(group.figures.tasks for group in report.by_language) == report.total.tasks
    assert sum(group.figures.resolved for group in report.by_outcome) == report.total.resolved


@settings(max_examples=20)
@given(STORIES)
def test_the_money_is_the_ledgers(database: Database, stories: list[Story]) -> None:
    tenant = f"tenant-{next(TENANTS)}"
    with database.transaction() as session:
        tell(session, tenant, stories)
    long = Period(first=date(2026, 9, 1), last=date(2027, 1, 31), timezone=BERLIN)
    with database.reading() as session:
        report = weekly_report(session, tenant=tenant, period=long, as_of=AS_OF)
        books = reconcile(session, tenant=tenant)
        revenue = {
            (account, of): minor
            for (account, of), minor in ledger.balances(ledger.entries(session, tenant=tenant)).items()
            if account.startswith("revenue:")
        }
    assert books.ok
    assert {one.currency: one.minor for one in report.total.net} == books.ledger
    assert sum(one.minor for week in report.weeks for one in week.figures.net) == sum(books.ledger.values())
    assert {
        (ledger.revenue(group.name), one.currency): -one.minor
        for group in report.by_outcome
        for one in group.figures.net
    } == revenue
    flow = report.total
    assert flow.resolved == flow.verified + flow.rejected + flow.void_unverified + flow.undecided
    assert flow.verified == flow.charged + flow.in_window + flow.void_verified
    assert flow.tasks == (
        flow.resolved + flow.handed_off - flow.handed_off_after_claim + flow.waiting + flow.answered + flow.excluded
        + flow.under_way
    )  # fmt: skip


def test_a_ticket_counts_when_it_was_opened_and_money_when_it_was_posted(database: Database) -> None:
    friday = MONDAY + 4 * DAY + 12 * HOUR
    report = reported(database, [Story(opened_at=friday, issues=(Issue(end=End.REVERSED),))])
    first, second, third, _ = (week.figures for week in report.weeks)
    assert (first.tickets, first.charged, first.reversed, first.net) == (1, 1, 1, ())
    assert second.charges == (Money(minor=99, currency="USD"),)
    assert second.credits == (Money(minor=99, currency="USD"),)
    assert (second.tasks, third.charges) == (0, ())
    assert report.by_procedure[0].figures.net == (Money(minor=0, currency="USD"),)


def test_weeks_begin_on_monday_in_the_contracts_time_zone(database: Database) -> None:
    moments = [
        MONDAY - MINUTE,
        MONDAY,
        MONDAY + 7 * DAY - MINUTE,
        MONDAY + 7 * DAY,
        MONDAY + 21 * DAY,
        MONDAY + 28 * DAY,
    ]
    stories = [Story(opened_at=at, issues=(Issue(end=End.OPEN),)) for at in moments]
    report = reported(database, stories)
    assert [week.figures.tickets for week in report.weeks] == [2, 1, 1, 1]
    assert [week.complete for week in report.weeks] == [True, True, False, False]
    assert report.weeks[3].last == date(2026, 11, 1)
    assert PERIOD.end - PERIOD.start == 28 * DAY + HOUR, "the week in which the clocks go back is an hour longer"


def test_the_weeks_of_a_period_are_cut_to_it() -> None:
    period = Period(first=date(2026, 10, 7), last=date(2026, 10, 20), timezone=BERLIN)
    assert [(week.first.day, week.last.day) for week in period.weeks()] == [(7, 11), (12, 18), (19, 20)]
    assert [week.first for week in Period.weeks_until(MONDAY - MINUTE, 2, BERLIN).weeks()] == [
        date(2026, 9, 21), date(2026, 9, 28),
    ]  # fmt: skip
    utc = Period.weeks_until(MONDAY, 1, ZoneInfo("UTC"))
    assert (utc.first, utc.last) == (date(2026, 9, 28), date(2026, 10, 4)), "in UTC it is still Sunday"


def test_times_are_ones_that_occurred(database: Database) -> None:
    minutes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1000]
    stories = [
        Story(
            opened_at=MONDAY,
            issues=(Issue(end=End.WINDOW, replied_after=n * MINUTE, claimed_after=2 * n * MINUTE),),
        )
        for n in minutes
    ]
    total = reported(database, stories).total
    assert (total.first_reply.count, total.first_reply.median_seconds, total.first_reply.p90_seconds) == (11, 360, 600)
    assert (total.resolution.median_seconds, total.resolution.p90_seconds) == (720, 1200)
    assert reported(database, stories[:1]).total.first_reply.p90_seconds == 60
    assert reported(database, []).total.first_reply.p90_seconds is None


def test_an_issue_that_is_brought_later_waits_for_the_reply_after_it(database: Database) -> None:
    first = Issue(end=End.WINDOW, replied_after=2 * MINUTE)
    later = Issue(end=End.WINDOW, brought_after=HOUR, replied_after=10 * MINUTE)
    total = reported(database, [Story(opened_at=MONDAY, issues=(first, later))]).total
    assert (total.first_reply.median_seconds, total.first_reply.p90_seconds) == (120, 600)
    assert total.first_reply.count == 2


def test_a_ticket_with_two_issues_is_rated_once(database: Database) -> None:
    issues = (Issue(end=End.CHARGED), Issue(end=End.HANDED, procedure=""))
    report = reported(database, [Story(opened_at=MONDAY, issues=issues, rating=2)])
    assert (report.total.tickets, report.total.tasks) == (1, 2)
    rated = report.total.satisfaction
    assert (rated.count, rated.mean, rated.low, rated.low_share) == (1, 2.0, 1, 1.0)
    assert [(group.name, group.figures.tasks) for group in report.by_procedure] == [
        ("refund-damaged-item@3", 1),
        ("", 1),
    ]


def test_the_cost_of_a_resolution_holds_what_the_others_cost(database: Database) -> None:
    by_model = [
        Issue(end=End.CHARGED, procedure="lookup@1", answers=(1_000_000, 500_000)),
        Issue(end=End.UNDECIDED, procedure="lookup@1", answers=(1,)),
        Issue(end=End.HANDED, procedure="lookup@1", answers=(250_000,)),
    ]
    compiled = [Issue(end=End.CHARGED, procedure="lookup@2")] * 2
    nobodys = [Issue(end=End.HANDED, procedure="")]
    stories = [Story(opened_at=MONDAY, issues=(issue,)) for issue in (*by_model, *compiled, *nobodys)]
    report = reported(database, stories)
    before, after, none = (group.figures.models for group in report.by_procedure)
    assert (before.calls, before.calls_per_resolved, before.micros) == (4, 2.0, 1_750_001)
    assert (before.micros_per_resolved, before.micros_per_verified) == (875_001, 1_750_001), "rounded up"
    assert (after.calls, after.calls_per_resolved, after.micros_per_resolved, after.cost) == (0, 0.0, 0, NOT_ASKED)
    assert (none.calls_per_resolved, none.micros_per_resolved, none.micros_per_verified) == (None, None, None)
    assert report.total.models.micros_per_resolved == 437_501
    assert report.total.models.cost == "1.750001 USD"


@pytest.mark.parametrize(
    ("answers", "cost", "remark"),
    [
        ((), "no model was asked", ""),
        ((0,), "0.00 USD", ""),
        ((1_200_000, 45), "1.200045 USD", ""),
        ((1_200_000, None), "at least 1.20 USD", "The cost of 1 of 2 answers is not known: nobody counted it."),
        ((None,), "not known", "The cost of 1 of 1 answers is not known: nobody counted it."),
    ],
)
def test_a_cost_that_nobody_counted_is_no_price(
    database: Database, answers: tuple[int | None, ...], cost: str, remark: str
) -> None:
    models = reported(
        database, [Story(opened_at=MONDAY, issues=(Issue(end=End.WINDOW, answers=answers),))]
    ).total.models
    assert (models.cost, models.remark) == (cost, remark)
    assert models.cost_each(0) == ""


def test_the_same_state_gives_the_same_report(database: Database) -> None:
    stories = [Story(opened_at=MONDAY + n * HOUR, issues=(Issue(end=end),)) for n, end in enumerate(End)]
    tenant = f"tenant-{next(TENANTS)}"
    with database.transaction() as session:
        tell(session, tenant, stories)
    made = []
    for _ in range(2):
        with database.reading() as session:
            made.append(weekly_report(session, tenant=tenant, period=PERIOD, as_of=AS_OF))
    assert made[0] == made[1]
    assert WeeklyReport.model_validate_json(made[0].model_dump_json()) == made[0]
    assert json.loads(made[0].model_dump_json())["as_of"] == "2026-10-25T22:00:00Z"


def test_a_report_is_read_while_another_process_writes(tmp_path: Path) -> None:
    reader, writer = (Database(f"sqlite:///{tmp_path / 'app.db'}") for _ in range(2))
    reader.upgrade()
    story = [Story(opened_at=MONDAY, issues=(Issue(end=End.HANDED),))]
    with writer.transaction() as writing:
        tell(writing, "acme", story)
        with reader.reading() as session:
            before = weekly_report(session, tenant="acme", period=PERIOD, as_of=AS_OF)
    assert before.total.tickets == 0
    with reader.reading() as session:
        weekly_report(session, tenant="acme", period=PERIOD, as_of=AS_OF)
        with writer.transaction() as writing:
            tell(writing, "acme", [*story, *story])
        assert weekly_report(session, tenant="acme", period=PERIOD, as_of=AS_OF).total.tickets == 1, (
            "one view of it all"
        )
    reader.close()
    writer.close()
