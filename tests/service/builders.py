"""What the tests of the command line share: the retail deployment, and `settle` as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable
RETAIL = ROOT / "examples" / "retail"


def deployment_in(folder: Path) -> Path:
    """A copy of the retail example, without any state."""
    copy = folder / "retail"
    shutil.copytree(RETAIL, copy, ignore=shutil.ignore_patterns(".settle", "__pycache__"))
    return copy


def example_tickets(*ids: str) -> list[dict[str, Any]]:
    """Tickets of the retail example, as they stand in its file."""
    lines = (RETAIL / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
    tickets = {ticket["id"]: ticket for ticket in map(json.loads, lines)}
    return [tickets[one] for one in ids]


def settle(
    *arguments: str | Path, cwd: Path, path: tuple[Path, ...] = (ROOT,), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``settle`` to its end, in ``cwd``; ``path`` is searched for packages first."""
    return subprocess.run(
        [PYTHON, "-m", "service.cli", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONUTF8": "1", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def program(file: Path, script: str) -> Path:
    """A shell script in the place of a program."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file
