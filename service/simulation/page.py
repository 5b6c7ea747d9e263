"""A simulation as one HTML file: figures, bars, what it would cost, what would have been wrong, every ticket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.intake import RowProblem
from service.rehearsed import ENDS, RehearsedEnd
from service.report.html import environment, whole_file
from service.simulation.remarks import remarks, span
from service.simulation.results import Results
from service.simulation.tally import Summary

WIDTH = 1000
"""The bars' drawing, in its own units."""
_TONES = {
    RehearsedEnd.RESOLVED: "good",
    RehearsedEnd.ANSWERED: "answered",
    RehearsedEnd.WAITING: "wait",
    RehearsedEnd.NEEDS_MODEL: "model",
    RehearsedEnd.HANDED_OFF: "people",
    RehearsedEnd.NOT_WORKED_ON: "none",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One piece of a bar."""

    name: str
    tone: str
    count: int
    x: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How the tickets of one procedure, or all of them, would end."""

    name: str
    count: int
    pieces: tuple[Piece, ...]


def write_page(summary: Summary, results: Results, problems: Sequence[RowProblem], *, name: str, to: Path) -> None:
    """Write the page to the file ``to``, whole or not at all; ``name`` is that of the file with the tickets.

    Raises:
        OSError: the file cannot be written.
    """
    made = environment(Path(__file__).parent / "templates")
    made.globals["money"] = lambda least, most: span(least, most, summary.currency)
    made.filters["end"] = ENDS.__getitem__
    made.filters["tone"] = _TONES.__getitem__
    most = max((sum(ends.values()) for ends in summary.procedures.values()), default=0)
    page = made.get_template("simulation.html").generate(
        name=name,
        summary=summary,
        whole=bar("All tickets", summary.ends, summary.tickets),
        bars=[bar(procedure, ends, most) for procedure, ends in summary.procedures.items()],
        remarks=remarks(summary),
        results=results,
        problems=problems,
    )
    with whole_file(to) as file:
        file.writelines(page)


def bar(name: str, ends: Mapping[RehearsedEnd, int], most: int) -> Bar:
    """A bar whose length is its share of ``most`` tickets."""
    pieces, before = [], 0
    for end, tone in _TONES.items():
        count = ends.get(end, 0)
        if count:
            x, till = before * WIDTH // most, (before + count) * WIDTH // most
            pieces.append(Piece(name=ENDS[end], tone=tone, count=count, x=x, width=max(till - x, 1)))
        before += count
    return Bar(name=name, count=before, pieces=tuple(pieces))
