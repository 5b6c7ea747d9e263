"""The demo as a user gets it: from a wheel, outside a clone, in a real Chromium; and its four beats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.examples.expected import EXPECTED

ROOT = Path(__file__).parents[2]
STATES = {
    "charged": "invoiced",
    "reversed": "reversed",
    "void": "void",
    "no_claim": "void",
    "handed_off": "escalated",
    "excluded": "void",
}


@dataclass(frozen=True)
class Installed:
    """Settle unpacked from its wheel, and a folder to work in."""

    packages: Path
    folder: Path

    def settle(self, *arguments: str, timeout: int = 240) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.packages), "COLUMNS": "200"}
        command = [sys.executable, "-m", "service.cli", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "packages")
    (folder / "work").mkdir()
    return Installed(folder / "packages", folder / "work")


@pytest.fixture(scope="module")
def demo(installed: Installed) -> subprocess.CompletedProcess[str]:
    return installed.settle("demo")


def outcomes(installed: Installed) -> list[dict[str, Any]]:
    done = installed.settle("outcomes", "--json")
    assert done.returncode == 0, done.stderr
    listed: list[dict[str, Any]] = json.loads(done.stdout)
    return listed


def test_the_demo_ends_well(demo: subprocess.CompletedProcess[str], installed: Installed) -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "they agree to the cent" in demo.stdout
    for beat in ("lie", "reopen", "tamper", "crash"):
        assert f"settle demo {beat}" in demo.stdout
    assert "warm start" in demo.stdout
    assert " MB of " in demo.stdout


def test_every_ticket_ends_as_it_should(demo: subprocess.CompletedProcess[str], installed: Installed) -> None:
    found = {
        one["ticket"]: (one["outcome_type"], one["state"], one["evidence_class"], one["amount_minor"])
        for one in outcomes(installed)
    }
    assert found == {
        ticket: (end.outcome_type, STATES[end.final], end.evidence_class, end.amount_minor)
        for ticket, end in EXPECTED.items()
    }


def test_the_report_shows_pictures_before_and_after(
    demo: subprocess.CompletedProcess[str], installed: Installed
) -> None:
    report = (installed.folder / ".settle" / "report.html").read_text(encoding="utf-8")
    assert report.count("data:image/png;base64,") >= 20
    assert all(ticket in report for ticket in EXPECTED)


def test_the_invoice_verifies_and_says_what_it_cannot_prove(
    demo: subprocess.CompletedProcess[str], installed: Installed
) -> None:
    (bundle,) = (installed.folder / ".settle" / "invoices").glob("INV-*")
    invoice = json.loads((bundle / "invoice.json").read_text())
    assert invoice["total"]["minor"] == sum(end.amount_minor for end in EXPECTED.values())
    checked = installed.settle("verify-invoice", str(bundle))
    assert checked.returncode == 0, checked.stdout
    assert "cannot prove" in checked.stdout


def test_nothing_of_the_demo_goes_on_running(demo: subprocess.CompletedProcess[str], installed: Installed) -> None:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(installed.folder) not in listed


def test_one_changed_byte_is_named(demo: subprocess.CompletedProcess[str], installed: Installed) -> None:
    done = installed.settle("demo", "tamper")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The promise held." in done.stdout


@pytest.mark.parametrize(
    ("beat", "said"),
    [
        ("lie", "Verdict: failed, state_unchanged. Charge: 0.00 USD"),
        ("reopen", "Credit note CN-0001 on INV-0001: -0.99 USD"),
        ("crash", "Killed 4 times"),
    ],
)
def test_a_beat_keeps_its_promise(beat: str, said: str, installed: Installed) -> None:
    done = installed.settle("demo", "--no-browser", "--state", f"state-{beat}", beat)
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout
    assert "The promise held." in done.stdout
