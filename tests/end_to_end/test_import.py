"""An import that is killed and started again: every sound row is one ticket, worked on once."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from service.starter import make_deployment
from tests.service.builders import ROOT, settle

ROWS = 60


def export(file: Path) -> Path:
    """Sound rows with and without an id, one id twice with other words, one without an address."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["Ticket ID", "Email", "Subject", "Description"])
        for number in range(ROWS):
            row_id = f"Z-{number}" if number % 2 else ""
            writer.writerow([row_id, f"c{number}@example.com", "Ipsum", f"Lorem ipsum {number}."])
        writer.writerow(["Z-1", "c1@example.com", "Sit", "Dolor sit amet."])
        writer.writerow(["Z-x", "nobody", "No address", "Hello?"])
    return file


def opened(state: Path) -> int:
    """Tickets in the database; 0 while there is none."""
    try:
        with closing(sqlite3.connect(f"file:{state / 'app.db'}?mode=ro", uri=True, timeout=10)) as database:
            return int(database.execute("SELECT count(*) FROM helpdesk_ticket").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def kill_after(tickets: int, folder: Path, file: Path) -> None:
    """Begin the import, and SIGKILL it once that many tickets are open."""
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "run", str(file)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 90
    while opened(folder / ".settle") < tickets and process.poll() is None:
        assert time.monotonic() < deadline, "the import does not get on"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.timeout(240)
def test_a_killed_import_starts_again_and_takes_every_sound_row_once(tmp_path: Path) -> None:
    folder = make_deployment(tmp_path / "desk", "desk").deployment
    file = export(tmp_path / "export.csv")
    for tickets in (1, ROWS // 2):
        kill_after(tickets, folder, file)
    done = settle("run", file, "--json", cwd=folder)
    seen = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert [(one["row"], one["kept"]) for one in seen["problems"]] == [(ROWS + 2, False), (ROWS + 3, False)]
    assert len(seen["tickets"]) == len({one["ticket"] for one in seen["tickets"]}) == ROWS
    assert {one["task_state"] for one in seen["tickets"]} == {"handed_off"}
    again = json.loads(settle("run", file, "--json", cwd=folder).stdout)
    assert again["tickets"] == seen["tickets"]
    with closing(sqlite3.connect(folder / ".settle" / "app.db")) as database:
        counts = database.execute("SELECT count(*) FROM helpdesk_message GROUP BY ticket_id").fetchall()
    assert len(counts) == ROWS
    assert len(set(counts)) == 1, "no message was written twice"
