"""How commands print: tables and lines for people, JSON for programs. What strangers wrote stays mere text."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TextIO

import typer
from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from agents.money import Money

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_WIDE = 100_000
"""Columns in which every table has room."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_STYLES = {
    "ok": "green",
    "FAILED": "bold red",
    "passed": "green",
    "failed": "red",
    "undetermined": "yellow",
    "settled": "green",
    "invoiced": "green",
    "reversed": "red",
    "rejected": "red",
}


def shown(value: object) -> str:
    """``value`` as text for a terminal: nothing in it moves the cursor, colours, or turns the writing round."""
    return _CONTROL.sub("\ufffd", str(value))


def short(value: object, limit: int = 160) -> str:
    """``value`` on one line of at most ``limit`` characters; what is not text is shown as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    line = " ".join(shown(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def money(minor: int, currency: str) -> str:
    """``0.99 USD``"""
    return str(Money(minor=minor, currency=currency))


def print_json(value: Any) -> None:
    """``value``, with models in it, as indented JSON."""
    sys.stdout.write(json.dumps(_plain(value), indent=2) + "\n")


def say(*lines: str) -> None:
    """Lines for people, on stdout."""
    for line in lines:
        _console(sys.stdout).print(Text(shown(line)), soft_wrap=True)


def warn(*lines: str) -> None:
    """Lines for people that are no part of the result, on stderr."""
    for line in lines:
        _console(sys.stderr).print(Text(shown(line), style="yellow"), soft_wrap=True)


def live(ticket: str, text: str, style: str) -> None:
    """One line of progress, on stderr."""
    line = Text.assemble((f"{shown(ticket):<10}", "bold"), "  ", (shown(text), style))
    _console(sys.stderr).print(line, soft_wrap=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "", empty: str = "") -> None:
    """A table with every row whole: folded to a terminal's width, and as wide as it needs to be elsewhere.

    Columns whose name ends in ``>`` are set to the right. Without rows, ``empty`` is said instead.
    """
    cells = [[shown(value) for value in row] for row in rows]
    if not cells and empty:
        say(empty)
        return
    table = Table(
        title=Text(title) if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in columns:
        name = column.removesuffix(">")
        table.add_column(Text(name), justify="right" if column != name else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    console = _console(sys.stdout)
    if not console.is_terminal:
        options = console.options.update(width=_WIDE, max_width=_WIDE)
        console.width = Measurement.get(console, options, table).maximum
    console.print(table)


def _console(stream: TextIO) -> Console:
    """A console on the stream as it is now, which tests and shells may have redirected."""
    return Console(file=stream, highlight=False, markup=False, emoji=False)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
