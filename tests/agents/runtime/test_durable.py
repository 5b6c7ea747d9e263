"""The durable engine on SQLite, in processes of its own, one of which dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WORKER = Path(__file__).with_name("worker.py")
ROOT = Path(__file__).parents[3]


def work(folder: Path, mode: str) -> tuple[int, list[str]]:
    log = folder / "log"
    command = [sys.executable, str(WORKER), str(folder / "engine.sqlite"), str(log), mode]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode in (0, 7), done.stderr
    return done.returncode, log.read_text().splitlines()


def job(name: str) -> list[str]:
    return [f"{name} {step}" for step in ("one", "two", "three", "end")]


def test_jobs_of_a_ticket_run_in_order_once_and_never_overlap(tmp_path: Path) -> None:
    assert work(tmp_path, "again") == (0, [*job("a"), *job("b"), *job("c")])


def test_a_job_that_died_is_finished_by_the_next_process_from_its_last_step(tmp_path: Path) -> None:
    code, lines = work(tmp_path, "crash")
    assert (code, lines) == (7, ["a one", "a two"])
    code, lines = work(tmp_path, "resume")
    assert code == 0
    assert sorted(lines) == sorted([*job("a"), "a two", *job("b"), *job("c")])
    assert lines.count("a one") == 1
    assert lines[lines.index("a end") :] == ["a end", *job("b"), *job("c")]


def test_a_job_that_failed_continues_from_its_last_finished_step(tmp_path: Path) -> None:
    code, lines = work(tmp_path, "fail")
    assert code == 0
    assert lines == ["a one", "a two", *job("b"), *job("c"), "a two", "a two", "a three", "a end"]
