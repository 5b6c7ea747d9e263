"""Rows: what a file says about one ticket, before it is cleaned and checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """Something about one row that a person should know."""

    row: int
    """Counted from 1: the line of JSON lines, the item of a JSON list, the row of a table (its header is row 1), the
    mail of a mailbox. 0 is the file as a whole."""
    message: str
    """What was found, and what to do about it."""
    kept: bool = False
    """True if the row was taken all the same; False if it was left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One ticket as a file has it."""

    number: int
    """As `RowProblem.row`."""
    id: str = ""
    """Empty if the file gives none."""
    origin: str = ""
    """What identifies the ticket where it comes from (a Message-ID), if that is not its id."""
    email: str
    name: str = ""
    subject: str = ""
    messages: tuple[str, ...]
    tags: tuple[str, ...] = ()


Rows = Iterator[Row | RowProblem]
"""What each format's reader yields, in the order of the file."""
