"""A slice of the demo in a subprocess, and everything that can be counted afterwards."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billing import verify_bundle
from service.database import Database
from service.summary import outcome_lines

ROOT = Path(__file__).parents[2]
SLICE = ("T-1007", "T-1002", "T-1009", "T-1013")
"""One refund in the browser, reopened after it settled; a question answered; a correct refusal; one for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What a run left behind: equal for any two runs of the same slice, however often they were interrupted."""

    outcomes: tuple[tuple[Any, ...], ...]
    ledger: Counter[tuple[str, str, int]]
    """(source, account, minor units)"""
    refunds: Counter[tuple[str, int]]
    """(order, minor units) in the back office's own database, of what the agent refunded."""
    messages: Counter[tuple[str, str, str]]
    """(ticket, author, text)"""
    notes: int
    invoices: tuple[tuple[str, int], ...]


def play(folder: Path, moment: str = "-", number: int = 0, *, browser: bool = True) -> tuple[int, list[str]]:
    """Run the slice until the N-th ``moment``, or to its end: exit code, and the names of the moments it saw."""
    command = [sys.executable, "-m", "service.demo.killed", str(folder), moment, str(number), *SLICE]
    done = subprocess.run(
        command if browser else [*command, "--no-browser"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode, [line.split()[0] for line in done.stdout.splitlines()]


def play_two_issues(folder: Path, moment: str = "-", number: int = 0) -> tuple[int, list[str]]:
    """As `play`, with one ticket that holds two issues."""
    command = [sys.executable, "-m", "tests.end_to_end.two_issues", str(folder), moment, str(number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode, [line.split()[0] for line in done.stdout.splitlines()]


def traces(folder: Path) -> Traces:
    """Read everything that a finished slice left behind, and verify its bundles."""
    database = Database(f"sqlite:///{folder / 'app.db'}")
    lines = outcome_lines(database, "acme", "USD")
    database.close()
    app, office = sqlite3.connect(folder / "app.db"), sqlite3.connect(folder / "back_office.db")
    invoices = sorted((folder / "invoices").iterdir())
    for bundle in invoices:
        checked = verify_bundle(bundle)
        assert checked.ok, [problem for check in checked.checks for problem in check.problems]
    try:
        return Traces(
            outcomes=tuple((one.ticket, one.outcome_type, one.state, one.reason, one.amount_minor) for one in lines),
            ledger=Counter(
                app.execute(
                    "SELECT e.source, p.account, p.minor FROM billing_entries e"
                    " JOIN billing_postings p ON p.tenant = e.tenant AND p.seq = e.seq"
                ).fetchall()
            ),
            refunds=Counter(
                office.execute("SELECT order_id, amount_minor FROM refunds WHERE reference LIKE 'T-%'").fetchall()
            ),
            messages=Counter(
                app.execute("SELECT ticket_id, author, text FROM helpdesk_message WHERE public").fetchall()
            ),
            notes=app.execute("SELECT count(*) FROM helpdesk_message WHERE NOT public").fetchone()[0],
            invoices=tuple((bundle.name, sum(line.amount_minor for line in lines)) for bundle in invoices),
        )
    finally:
        app.close()
        office.close()
