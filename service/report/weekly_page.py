"""The weekly report as one HTML file, made from nothing but the data that ``settle report --json`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from agents.money import Money
from service.report.flow import Exit, Figure, Stage, drawn, many
from service.report.html import environment, whole_file
from service.shown import LANGUAGES, date_text, lasted, when
from service.weekly import Figures, Group, WeeklyReport

TOP_REASONS = 10
"""Reasons for handing off that are drawn; the others are counted together."""
_HEIGHT = 100
"""Of the drawing of a week, in its own units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a column: a rectangle in a drawing of 100 by 100."""

    tone: str
    x: int
    width: int
    y: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One week in a picture."""

    label: str
    top: str
    """What stands above the bars."""
    said: str
    """The same for those who do not see it."""
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars over weeks."""

    name: str
    legend: tuple[tuple[str, str], ...]
    """(tone, what it stands for)"""
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonBar:
    """One reason for handing off."""

    words: str
    code: str
    count: int
    width: int
    """Of the longest, in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of a table: a week, or a part of the tasks."""

    name: str
    note: str
    figures: Figures
    rating: str
    charges: str
    credits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table."""

    id: str
    name: str
    first: str
    """Heading of the first column."""
    rows: tuple[Row, ...]
    total: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """What models took for a part of the tasks, in words; costs in US dollars."""

    name: str
    calls: str
    tokens: str
    cost: str
    calls_each: str
    """For each resolution."""
    cost_each: str
    cost_verified: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPart:
    """All that the page shows of models."""

    facts: tuple[tuple[str, str, str], ...]
    remark: str
    weeks: tuple[ModelRow, ...]
    procedures: tuple[ModelRow, ...]
    total: ModelRow


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyPage:
    """All that the page shows."""

    tenant: str
    timezone: str
    period: str
    made_at: str
    headline: str
    figures: tuple[Figure, ...]
    stages: tuple[Stage, ...]
    work: Chart
    money: tuple[Chart, ...]
    """One per currency."""
    reasons: tuple[ReasonBar, ...]
    handed_off: int
    facts: tuple[tuple[str, str, str], ...]
    """(name, value, note) of times, satisfaction and what the work took."""
    models: ModelPart | None
    """None where no model was asked."""
    weeks: Table
    tables: tuple[Table, ...]
    """The parts that share something."""
    empty: bool
    """No ticket was opened, and no money was posted."""


def write_weekly(report: WeeklyReport, to: Path) -> Path:
    """Write the page to the file ``to``, whole or not at all; returns ``to``; `OSError` if it cannot be written."""
    page = environment().get_template("weekly.html").render(report=weekly_page(report))
    with whole_file(to) as file:
        file.write(page)
    return to


def weekly_page(report: WeeklyReport) -> WeeklyPage:
    """What the page shows of ``report``."""
    total = report.total
    return WeeklyPage(
        tenant=report.tenant,
        timezone=report.timezone,
        period=span(report.first, report.last),
        made_at=when(report.as_of),
        headline=", ".join(
            (
                many(total.tickets, "ticket"),
                f"{total.verified:,} proven",
                f"{total.handed_off:,} handed to people",
                f"{money_text(total.charges, 'nothing')} charged",
            )
        ),
        figures=_headline_figures(total),
        stages=_stages(total),
        work=_work(report),
        money=tuple(_money_chart(report, currency) for currency in _currencies(report)),
        reasons=_reasons(total),
        handed_off=total.handed_off,
        facts=_facts(total),
        models=_models(report),
        weeks=_weeks(report),
        tables=_tables(report),
        empty=total.tasks == 0 and not total.charges and not total.credits,
    )


def money_text(amounts: Sequence[Money], nothing: str = "–") -> str:
    """Amounts of several currencies side by side, never added up; ``nothing`` without any."""
    return " + ".join(each.text() for each in amounts) or nothing


def span(first: date, last: date) -> str:
    """``2 Nov to 8 Nov 2026``"""
    if first == last:
        return date_text(first)
    start = date_text(first) if first.year != last.year else date_text(first).rpartition(" ")[0]
    return f"{start} to {date_text(last)}"


def rating_text(figures: Figures) -> str:
    """The mean rating, or a dash."""
    mean = figures.satisfaction.mean
    return "–" if mean is None else f"{mean:.2f}"


def _headline_figures(total: Figures) -> tuple[Figure, ...]:
    rated = total.satisfaction
    low = "" if rated.low_share is None else f", {rated.low_share:.0%} of them 1 or 2"
    back = total.reopened
    return (
        Figure(name="Tickets", value=f"{total.tickets:,}", unit="", note=f"with {many(total.tasks, 'task')}"),
        Figure(name="Proven", value=f"{total.verified:,}", unit="", note=f"of {total.resolved:,} claimed"),
        _money_figure("Charged", total.charges, f"{money_text(total.credits, 'nothing')} credited"),
        Figure(
            name="Handed to people",
            value=f"{total.handed_off:,}",
            unit="",
            note=f"{_share(total.handed_off, total.tasks)} of all tasks",
        ),
        Figure(name="Came back", value=f"{back:,}", unit="", note=f"{total.reversed:,} charges reversed"),
        Figure(name="Satisfaction", value=rating_text(total), unit="of 5", note=f"{many(rated.count, 'rating')}{low}"),
    )


def _money_figure(name: str, amounts: Sequence[Money], note: str) -> Figure:
    if len(amounts) > 1:
        return Figure(name=name, value=str(len(amounts)), unit="currencies", note=f"{money_text(amounts)}; {note}")
    number, _, unit = money_text(amounts).rpartition(" ")
    return Figure(name=name, value=number or unit, unit=unit if number else "", note=note)


def _stages(total: Figures) -> tuple[Stage, ...]:
    def exits(*found: tuple[int, str, str]) -> list[Exit]:
        return [Exit(count=count, name=name, tone=tone) for count, name, tone in found if count]

    unclaimed = total.handed_off - total.handed_off_after_claim
    other = total.tasks - total.resolved - unclaimed - total.waiting - total.answered - total.excluded
    return drawn(
        (
            (
                "Tasks",
                total.tasks,
                f"in {many(total.tickets, 'ticket')}",
                exits(
                    (unclaimed, "handed to people", "people"),
                    (total.answered, "answered, nothing claimed", "none"),
                    (total.excluded, "not worked on", "none"),
                    (total.waiting, "wait for an answer", "wait"),
                    (other, "under way", "wait"),
                ),
            ),
            (
                "Resolved",
                total.resolved,
                "the agents say done",
                exits(
                    (total.rejected, "not proven or not billable", "bad"),
                    (total.void_unverified, "void", "back"),
                    (total.undecided, "not decided or priced", "wait"),
                ),
            ),
            (
                "Verified",
                total.verified,
                "proven on the system of record",
                exits(
                    (total.void_verified, "void before settlement", "back"),
                    (total.in_window, "in the settlement window", "wait"),
                ),
            ),
            ("Charged", total.charged, "the proof stood a second look", exits((total.reversed, "reversed", "back"))),
        ),
        kept=total.charged - total.reversed,
    )


def _work(report: WeeklyReport) -> Chart:
    tones = (("none", "tasks"), ("mid", "resolved"), ("good", "verified"), ("people", "handed to people"))
    most = max((week.figures.tasks for week in report.weeks), default=0)
    columns = []
    for week in report.weeks:
        one = week.figures
        counts = (one.tasks, one.resolved, one.verified, one.handed_off)
        said = ", ".join(f"{count} {name}" for count, (_, name) in zip(counts, tones, strict=True))
        columns.append(
            Column(
                label=_short(week.first),
                top=str(one.tasks),
                said=f"{span(week.first, week.last)}: {said}",
                bars=_bars([(tone, count) for count, (tone, _) in zip(counts, tones, strict=True)], most),
            )
        )
    return Chart(name="Tasks by week", legend=tones, columns=tuple(columns))


def _money_chart(report: WeeklyReport, currency: str) -> Chart:
    tones = (("good", "charged"), ("back", "credited"))
    posted = [(_in(week.figures.charges, currency), _in(week.figures.credits, currency)) for week in report.weeks]
    most = max((minor for pair in posted for minor in pair), default=0)
    return Chart(
        name=f"Charged by week, {currency}",
        legend=tones,
        columns=tuple(
            Column(
                label=_short(week.first),
                top=Money(minor=charged, currency=currency).text().removesuffix(f" {currency}"),
                said=f"{span(week.first, week.last)}: {Money(minor=charged, currency=currency).text()} charged, "
                f"{Money(minor=credited, currency=currency).text()} credited",
                bars=_bars([("good", charged), ("back", credited)], most),
            )
            for week, (charged, credited) in zip(report.weeks, posted, strict=True)
        ),
    )


def _bars(parts: Sequence[tuple[str, int]], most: int) -> tuple[Bar, ...]:
    """Side by side, as high as their share of ``most``; what is not nothing is seen."""
    width = _HEIGHT // len(parts)
    bars = []
    for place, (tone, count) in enumerate(parts):
        height = max(2, count * _HEIGHT // most) if count > 0 else 0
        bars.append(Bar(tone=tone, x=place * width + 2, width=width - 4, y=_HEIGHT - height, height=height))
    return tuple(bars)


def _reasons(total: Figures) -> tuple[ReasonBar, ...]:
    if not total.reasons:
        return ()
    most = total.reasons[0].count
    bars = [
        ReasonBar(words=one.words or "no reason given", code=one.code, count=one.count, width=_width(one.count, most))
        for one in total.reasons[:TOP_REASONS]
    ]
    rest = total.reasons[TOP_REASONS:]
    if rest:
        count = sum(one.count for one in rest)
        bars.append(
            ReasonBar(words=many(len(rest), "other reason"), code="", count=count, width=min(100, _width(count, most)))
        )
    return tuple(bars)


def _facts(total: Figures) -> tuple[tuple[str, str, str], ...]:
    effort, rated = total.effort, total.satisfaction
    low = "" if rated.low_share is None else f", {rated.low_share:.0%} of them 1 or 2"
    calls = f"{effort.reads:,} reads, {effort.changes:,} changes, {effort.messages:,} messages"
    return (
        (
            "First reply",
            lasted(total.first_reply.median_seconds),
            f"median of {many(total.first_reply.count, 'ticket')}; "
            f"nine of ten within {lasted(total.first_reply.p90_seconds)}",
        ),
        (
            "Resolution",
            lasted(total.resolution.median_seconds),
            f"median of {many(total.resolution.count, 'task')}; "
            f"nine of ten within {lasted(total.resolution.p90_seconds)}",
        ),
        ("Satisfaction", rating_text(total), f"mean of {many(rated.count, 'rating')} from 1 to 5{low}"),
        (
            "Tool calls",
            f"{effort.reads + effort.changes + effort.messages:,}",
            f"{calls}; {effort.not_done:,} failed or are not certain",
        ),
        ("Time in tools", lasted(effort.tool_seconds), f"in {many(effort.runs, 'run')}, their browser included"),
        ("Asked of people", f"{effort.approvals:,}", "approvals"),
    )


def _models(report: WeeklyReport) -> ModelPart | None:
    total, used = report.total, report.total.models
    if not used.calls:
        return None
    each, verified = used.cost_each(total.resolved) or "–", used.cost_each(total.verified) or "–"
    return ModelPart(
        facts=(
            ("Cost of models", used.cost, f"{many(used.calls, 'call')}, {used.tokens:,} tokens"),
            ("Cost per resolution", each, f"of all tasks, by {total.resolved:,} resolved"),
            ("Cost per verified resolution", verified, f"of all tasks, by {total.verified:,} proven"),
        ),
        remark=used.remark,
        weeks=tuple(_model_row(span(week.first, week.last), week.figures) for week in report.weeks),
        procedures=tuple(_model_row(group.name or "none chosen", group.figures) for group in report.by_procedure),
        total=_model_row("In all", total),
    )


def _model_row(name: str, figures: Figures) -> ModelRow:
    used = figures.models
    return ModelRow(
        name=name,
        calls=f"{used.calls:,}",
        tokens=f"{used.tokens:,}",
        cost=_narrow(used.cost_each(1)) or "none asked",
        calls_each="–" if used.calls_per_resolved is None else f"{used.calls_per_resolved:.2f}",
        cost_each=_narrow(used.cost_each(figures.resolved)) or "–",
        cost_verified=_narrow(used.cost_each(figures.verified)) or "–",
    )


def _narrow(cost: str) -> str:
    """For a column whose heading names the currency."""
    return cost.replace("at least", "≥").removesuffix(" USD")


def _weeks(report: WeeklyReport) -> Table:
    weeks = tuple(
        _row(span(week.first, week.last), "" if week.complete else "not over yet", week.figures)
        for week in report.weeks
    )
    return Table(id="weeks", name="Week by week", first="Week", rows=weeks, total=_row("In all", "", report.total))


def _tables(report: WeeklyReport) -> tuple[Table, ...]:
    found = []
    for id, name, first, groups, without in (
        ("procedures", "By procedure and version", "Procedure", report.by_procedure, "none chosen"),
        ("outcomes", "By type of outcome", "Outcome", report.by_outcome, "none"),
        ("languages", "By language", "Language", report.by_language, "not known"),
    ):
        if groups:
            rows = tuple(_row(_name(group, without, id), "", group.figures) for group in groups)
            found.append(Table(id=id, name=name, first=first, rows=rows, total=None))
    return tuple(found)


def _name(group: Group, without: str, table: str) -> str:
    if not group.name:
        return without
    if table == "languages":
        return LANGUAGES.get(group.name, group.name)
    return group.name.replace("_", " ") if table == "outcomes" else group.name


def _row(name: str, note: str, figures: Figures) -> Row:
    return Row(
        name=name,
        note=note,
        figures=figures,
        rating=rating_text(figures),
        charges=money_text(figures.charges),
        credits=money_text(figures.credits),
    )


def _currencies(report: WeeklyReport) -> list[str]:
    return sorted({each.currency for each in (*report.total.charges, *report.total.credits)})


def _in(amounts: Iterable[Money], currency: str) -> int:
    return next((each.minor for each in amounts if each.currency == currency), 0)


def _width(count: int, most: int) -> int:
    return max(1, count * 100 // most)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "none"


def _short(day: date) -> str:
    return date_text(day).rpartition(" ")[0]
