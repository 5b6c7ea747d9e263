"""``settle report``."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from service.cli.books import StateOption, open_books
from service.cli.commands import refuse
from service.cli.output import AsJson, print_json, print_table, say
from service.model_use import NOT_ASKED
from service.shown import lasted
from service.weekly import Figures, Period, WeeklyReport, weekly_report

app = typer.Typer(add_completion=False)
WEEKS = 4
MAX_WEEKS = 106
"""Two years, and a week cut at either end."""


@app.command()
def report(
    weeks: Annotated[
        int | None,
        typer.Option("--weeks", min=1, max=104, help=f"This week and those before it; {WEEKS} if nothing is named."),
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The first day of the period."),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option(
            "--to", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="The last day of the period; today if not named."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write one HTML file with pictures.")] = None,
    state: StateOption = None,
    as_json: AsJson = False,
) -> None:
    """Report week by week: what was resolved, verified, handed off and why, reopened, charged and credited.

    With satisfaction, effort and the cost of models, for each procedure, outcome type and language too.
    """
    with open_books(state) as books:
        now = books.clock.now()
        timezone = ZoneInfo(books.contract.period.timezone)
        period = _period(weeks, first, last, now, timezone)
        with books.database.reading() as session:
            made = weekly_report(session, tenant=books.tenant, period=period, as_of=now)
    if html is not None:
        _write(made, html)
    if as_json:
        print_json(made)
    elif html is None:
        _print(made)
    else:
        say(f"Written: {html}")


def _period(
    weeks: int | None, first: datetime | None, last: datetime | None, now: datetime, timezone: ZoneInfo
) -> Period:
    if first is None and last is None:
        return Period.weeks_until(now, weeks or WEEKS, timezone)
    if weeks is not None or first is None:
        refuse("Name either --weeks, or --from (with --to, or until today).")
    period = Period(
        first=first.date(), last=last.date() if last else now.astimezone(timezone).date(), timezone=timezone
    )
    if period.last < period.first:
        refuse(f"--from {period.first} is after --to {period.last}.")
    if len(period.weeks()) > MAX_WEEKS:
        refuse(f"{period.first} to {period.last} are more than two years; ask for less.")
    return period


def _write(made: WeeklyReport, to: Path) -> None:
    from service.report.weekly_page import write_weekly  # only now: the rest needs no templates

    try:
        write_weekly(made, to)
    except OSError as error:
        refuse(f"{to} cannot be written: {error.strerror}")


def _print(made: WeeklyReport) -> None:
    rows = [(_span(week.first, week.last), week.figures) for week in made.weeks]
    _print_figures("Week", [*rows, ("in all", made.total)])
    print_table(
        ("Why people took over", "Tasks>"),
        [(f"{one.words} ({one.code})", one.count) for one in made.total.reasons],
        empty="Nothing was handed to a person.",
    )
    for name, groups in (
        ("Procedure", made.by_procedure),
        ("Outcome", made.by_outcome),
        ("Language", made.by_language),
    ):
        if groups:
            _print_figures(name, [(group.name or "-", group.figures) for group in groups])
    effort = made.total.effort
    say(
        f"Median first reply {lasted(made.total.first_reply.median_seconds)}, "
        f"resolution {lasted(made.total.resolution.median_seconds)}. "
        f"{effort.reads} reads, {effort.changes} changes, {effort.messages} messages, {effort.approvals} approvals "
        f"asked, {lasted(effort.tool_seconds)} in tools."
    )
    _print_models(made)


def _print_models(made: WeeklyReport) -> None:
    """By week and procedure, so that a version that asks models can be compared with one that does not."""
    asked = made.total.models
    if not asked.calls:
        say(f"{NOT_ASKED.capitalize()}.")
        return
    rows = [(_span(week.first, week.last), week.figures) for week in made.weeks]
    rows += [(group.name or "-", group.figures) for group in made.by_procedure]
    print_table(
        ("Models", "Calls>", "Tokens>", "Cost>", "Calls per resolution>", "Per resolution>", "Per verified>"),
        [
            (
                name,
                one.models.calls,
                one.models.tokens,
                one.models.cost,
                "-" if one.models.calls_per_resolved is None else f"{one.models.calls_per_resolved:.2f}",
                one.models.cost_each(one.resolved) or "-",
                one.models.cost_each(one.verified) or "-",
            )
            for name, one in [*rows, ("in all", made.total)]
        ],
    )
    if asked.remark:
        say(asked.remark)


def _print_figures(first: str, rows: list[tuple[str, Figures]]) -> None:
    columns = ("Tickets>", "Tasks>", "Resolved>", "Verified>", "Charged>", "Handed off>", "Reopened>", "CSAT>")
    print_table(
        (first, *columns, "Charges>", "Credits>"),
        [
            (
                name,
                one.tickets,
                one.tasks,
                one.resolved,
                one.verified,
                one.charged,
                one.handed_off,
                one.reopened,
                "-" if one.satisfaction.mean is None else f"{one.satisfaction.mean:.2f}",
                ", ".join(map(str, one.charges)) or "-",
                ", ".join(map(str, one.credits)) or "-",
            )
            for name, one in rows
        ],
    )


def _span(first: date, last: date) -> str:
    return f"{first} to {last}"
