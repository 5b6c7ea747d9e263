"""Rows: what a file says about one ticket, before it is cleaned and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service.helpdesks.embedded import NewAttachment


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
class Past:
    """What people did about a ticket, as a historical export may say it. Nothing here is checked against a contract."""

    outcomes: tuple[str, ...] = ()
    """Outcome types, or the one word ``handoff`` or ``none``; empty where nothing is said."""
    subjects: tuple[str, ...] = ()
    """What each was about, ``order:11874`` or only ``11874``; as many as outcomes, or none."""
    procedure: str = ""
    """The name of the procedure that fitted."""


PAST = ("expected_outcome", "expected_subject", "procedure")
"""The fields in which an export says it; several outcomes with a semicolon between them."""


def past(fields: Mapping[str, str]) -> Past:
    """What the fields of `PAST` say."""
    outcomes, subjects = ([part.strip() for part in fields[name].split(";")] for name in PAST[:2])
    return Past(
        outcomes=tuple(part for part in outcomes if part),
        subjects=tuple(part for part in subjects if part),
        procedure=fields["procedure"].strip(),
    )


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
    attachments: tuple[NewAttachment, ...] = ()
    """Those that may be kept; in ``notes`` is why others were left out."""
    notes: tuple[str, ...] = ()
    """What a person should know about how it was read; it is taken all the same."""
    past: Past = Past()


Rows = Iterator[Row | RowProblem]
"""What each format's reader yields, in the order of the file."""
