"""The weekly report as a page and on the command line: made from one object, inert, and sound when there is little."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import sync_playwright
from typer.testing import CliRunner, Result

from agents.money import Money
from service.cli import app
from service.database import Database
from service.deployment import State, make_state
from service.report.weekly_page import weekly_page, write_weekly
from service.weekly import Figures, Period, ReasonCount, WeeklyReport, weekly_report
from tests.service.builders import deployment_in
from tests.service.test_report import CHROMIUM, CHROMIUM_ARGUMENTS, HOSTILE, HOSTILE_SHOWN, Page
from tests.service.test_weekly import AS_OF, PERIOD
from tests.service.weeks import DAY, HOUR, MINUTE, MONDAY, End, Issue, Story, tell

STORIES = [
    Story(opened_at=MONDAY + n * 9 * HOUR, rating=1 + n % 5, language=("en", "de")[n % 2], issues=(Issue(end=end),))
    for n, end in enumerate([*End, *End, End.HANDED, End.HANDED])
]


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A state of the retail example, on the Sunday three weeks after the first ticket."""
    made = make_state(tmp_path / "state", deployment_in(tmp_path))
    ahead = AS_OF - HOUR - datetime.now(UTC)
    (made.folder / "clock").write_text(str(int(ahead.total_seconds())))
    return made


def filled(state: State, stories: Sequence[Story]) -> State:
    database = Database(state.database_url(""))
    database.upgrade()
    with database.transaction() as session:
        tell(session, "acme", stories)
    database.close()
    return state


def reported(state: State, period: Period = PERIOD) -> WeeklyReport:
    database = Database(state.database_url(""))
    with database.reading() as session:
        made = weekly_report(session, tenant="acme", period=period, as_of=AS_OF)
    database.close()
    return made


def command(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)], catch_exceptions=False)


def page_of(report: WeeklyReport, folder: Path) -> Page:
    return Page(write_weekly(report, folder / "weekly.html").read_text(encoding="utf-8"))


# The page.


def test_the_page_shows_the_figures_of_the_report(state: State, tmp_path: Path) -> None:
    report = reported(filled(state, STORIES))
    page = page_of(report, tmp_path)
    total = report.total
    assert f"{total.tickets} tickets, {total.verified} proven, {total.handed_off} handed to people" in page.words
    assert (total.tickets, total.charged, total.reversed) == (26, 4, 2)
    for stage, count in (("Tasks", total.tasks), ("Resolved", total.resolved), ("Verified", total.verified)):
        assert f"{count} {stage}" in page.words
    rows = re.findall(r"<tr>\s*<td><b>(.*?)</b>.*?</tr>", page.html, re.DOTALL)
    assert len(rows) == len(report.weeks) + len(report.by_procedure) + len(report.by_outcome) + len(report.by_language)
    shown = weekly_page(report)
    assert [row.figures for row in shown.weeks.rows] == [week.figures for week in report.weeks]
    assert [bar.count for bar in shown.reasons] == [one.count for one in total.reasons]
    pictures = [each["aria-label"] for each in page.all("svg") if "aria-label" in each]
    assert len(pictures) == len(total.reasons) + 2 * len(report.weeks)
    assert f"5 Oct to 11 Oct 2026: {report.weeks[0].figures.tasks} tasks" in pictures[len(total.reasons)]


def test_bars_are_as_high_as_their_share(state: State) -> None:
    stories = [Story(opened_at=MONDAY + n * MINUTE, issues=(Issue(end=End.HANDED),)) for n in range(80)]
    stories += [Story(opened_at=MONDAY + 8 * DAY, issues=(Issue(end=end),)) for end in (End.WINDOW, *[End.OPEN] * 19)]
    first, second, *rest = weekly_page(reported(filled(state, stories))).work.columns
    assert [(bar.tone, bar.height) for bar in first.bars] == [("none", 100), ("mid", 0), ("good", 0), ("people", 100)]
    assert [bar.height for bar in second.bars] == [25, 2, 2, 0], "what is little is still seen"
    assert {bar.height for column in rest for bar in column.bars} == {0}
    assert all(bar.y + bar.height == 100 and bar.x + bar.width <= 100 for bar in first.bars)


def test_money_of_two_currencies_is_never_added_up(state: State, tmp_path: Path) -> None:
    report = reported(filled(state, STORIES))
    euros = (Money(minor=500, currency="EUR"), Money(minor=300, currency="USD"))

    def in_both(figures: Figures) -> Figures:
        return figures.model_copy(update={"charges": euros, "credits": euros[:1], "net": euros[1:]})

    weeks = tuple(week.model_copy(update={"figures": in_both(week.figures)}) for week in report.weeks)
    page = page_of(report.model_copy(update={"total": in_both(report.total), "weeks": weeks}), tmp_path)
    assert "5.00 EUR + 3.00 USD charged" in page.words
    assert "Charged by week, EUR" in page.words
    assert "Charged by week, USD" in page.words
    assert "8.00" not in page.words


def test_names_from_outside_are_inert(state: State, tmp_path: Path) -> None:
    report = reported(filled(state, STORIES))
    reasons = (ReasonCount(code=HOSTILE, words=HOSTILE, count=9), *report.total.reasons)
    group = report.by_language[0].model_copy(update={"name": HOSTILE})
    total = report.total.model_copy(update={"reasons": reasons})
    page = page_of(report.model_copy(update={"total": total, "by_language": (group,), "tenant": HOSTILE}), tmp_path)
    assert page.words.count(HOSTILE_SHOWN) >= 4
    assert page.all("script") == page.all("img") == []
    assert "default-src 'none'" in page.html


def test_an_empty_period_says_so(state: State, tmp_path: Path) -> None:
    page = page_of(reported(filled(state, [])), tmp_path)
    assert "No ticket was opened in this period, and nothing was charged or credited." in page.words
    assert page.all("rect") == page.all("table") == []


def test_a_single_ticket_has_a_page_without_odd_figures(state: State, tmp_path: Path) -> None:
    page = page_of(reported(filled(state, [Story(opened_at=MONDAY, issues=(Issue(end=End.OPEN),))])), tmp_path)
    assert "1 ticket, 0 proven, 0 handed to people, nothing charged" in page.words
    assert "Nothing was handed to a person." in page.words
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", page.words)


ASKED = [
    Story(opened_at=MONDAY, issues=(Issue(end=End.CHARGED, procedure="lookup@1", answers=(12_300, None)),)),
    Story(opened_at=MONDAY, issues=(Issue(end=End.WINDOW, procedure="lookup@1", answers=(700,)),)),
    Story(opened_at=MONDAY, issues=(Issue(end=End.CHARGED, procedure="lookup@2"),)),
]


def test_what_models_cost_is_shown_by_version(state: State, tmp_path: Path) -> None:
    page = page_of(reported(filled(state, ASKED)), tmp_path)
    assert "Cost of models at least 0.013 USD 3 calls, 3,072 tokens" in page.words
    assert "The cost of 1 of 3 answers is not known" in page.words
    assert "lookup@1 3 3,072 ≥ 0.013 1.50 ≥ 0.0065 ≥ 0.0065" in page.words
    assert "lookup@2 0 0 none asked 0.00 – –" in page.words
    said = command("--state", state.folder, "--from", "2026-10-05", "--to", "2026-11-01").stdout
    assert "The cost of 1 of 3 answers is not known" in said
    assert "at least 0.0065 USD" in said


def test_a_page_without_models_names_no_price(state: State, tmp_path: Path) -> None:
    page = page_of(reported(filled(state, STORIES)), tmp_path)
    assert "Models No model was asked." in page.words
    assert "Cost of models" not in page.words


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser.new_page(viewport={"width": 1200, "height": 900})
        browser.close()


@pytest.mark.parametrize("weeks", [1, 4, 53])
def test_chromium_shows_it_at_every_width(state: State, tab: Tab, weeks: int) -> None:
    period = Period.weeks_until(MONDAY + 8 * DAY, weeks, PERIOD.timezone)
    path = write_weekly(reported(filled(state, [*STORIES, *ASKED]), period), state.folder / "weekly.html")
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    for width in (1200, 390):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.goto(path.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        boxes = tab.evaluate("[...document.querySelectorAll('.week svg')].map(e => e.getBoundingClientRect().width)")
        assert len(boxes) in (weeks, 2 * weeks)
        assert min(boxes) > 20
    assert complaints == []


# The command line.


def data(*arguments: object) -> Any:
    result = command(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_json_is_the_documented_model(state: State) -> None:
    filled(state, STORIES)
    found = data("--state", state.folder, "--from", "2026-10-05", "--to", "2026-11-01")
    report = WeeklyReport.model_validate(found)
    assert report.model_copy(update={"as_of": AS_OF}) == reported(state)
    assert abs(report.as_of - (AS_OF - HOUR)) < timedelta(minutes=5)
    charge = found["total"]["charges"][0]
    assert charge == {"minor": report.total.charges[0].minor, "currency": "USD"}


def test_the_last_weeks_are_reported_if_nothing_is_named(state: State) -> None:
    filled(state, STORIES)
    found = data("--state", state.folder)
    assert [week["first"] for week in found["weeks"]] == ["2026-09-28", "2026-10-05", "2026-10-12", "2026-10-19"]
    assert [week["complete"] for week in found["weeks"]] == [True, True, True, False]
    assert len(data("--state", state.folder, "--weeks", "2")["weeks"]) == 2
    assert data("--state", state.folder, "--from", "2026-10-14")["last"] == "2026-10-25"


def test_people_read_tables(state: State) -> None:
    result = command("--state", filled(state, STORIES).folder)
    assert result.exit_code == 0
    for text in ("2026-10-05 to 2026-10-11", "no procedure fits (no_procedure)", "refund-damaged-item@3"):
        assert text in result.stdout
    assert result.stdout.endswith("No model was asked.\n")
    empty = command("--state", state.folder, "--from", "2020-01-01", "--to", "2020-01-05")
    assert "Nothing was handed to a person." in empty.stdout


def test_the_page_is_made_of_the_same_report(state: State, tmp_path: Path) -> None:
    filled(state, STORIES)
    to = tmp_path / "reports" / "weekly.html"
    result = command("--state", state.folder, "--html", to)
    assert result.stdout == f"Written: {to}\n"
    found = data("--state", state.folder, "--html", to)
    assert f"{found['total']['tickets']} tickets, {found['total']['verified']} proven" in Page(to.read_text()).words


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "2026-10-20", "--to", "2026-10-05"], "is after"),
        (["--to", "2026-10-05"], "Name either"),
        (["--weeks", "2", "--from", "2026-10-05"], "Name either"),
        (["--from", "2000-01-01"], "more than two years"),
        (["--from", "soon"], "does not match"),
        (["--weeks", "0"], "greater than or equal to 1"),
        (["--html", "/dev/null/report.html"], "cannot be written"),
    ],
)
def test_slips_are_refused_with_what_to_do(state: State, arguments: list[str], says: str) -> None:
    result = command("--state", state.folder, *arguments)
    assert result.exit_code == 2
    assert says in result.stderr
