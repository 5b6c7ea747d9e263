"""docs/support-team.md: its commands are run as they stand, in order, and print what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.service.builders import PYTHON, ROOT

PAGE = ROOT / "docs" / "support-team.md"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FAILS = re.compile(r"^(.*\S)\s+# exit code (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Commands of the page, and what they are said to print."""

    line: int
    commands: str
    shown: tuple[str, ...]


def blocks() -> list[Block]:
    """All ``sh`` blocks in order, each with the ``text`` block that follows it, if one does."""
    text = PAGE.read_text(encoding="utf-8")
    found: list[Block] = []
    for fence in _FENCE.finditer(text):
        kind, body = fence.groups()
        if kind == "sh":
            found.append(Block(line=text.count("\n", 0, fence.start()) + 1, commands=body, shown=()))
        elif kind == "text":
            found[-1] = Block(line=found[-1].line, commands=found[-1].commands, shown=tuple(body.splitlines()))
    return found


def clone(folder: Path) -> Path:
    """What the page begins in: a clone, with its environment in place, since tests install nothing."""
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    program = folder / ".venv" / "bin" / "settle"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{PYTHON}" -m service.cli "$@"\n')
    program.chmod(0o755)
    (folder / ".venv" / "run.stamp").touch()
    return folder


def script(page: list[Block]) -> str:
    """All blocks as one script, so that folders and variables last; each announces itself."""
    lines = ["set -e", "exec 2>&1"]
    for number, block in enumerate(page):
        commands = _FAILS.sub(r"if \1; then exit 99; else test $? -eq \2; fi", block.commands)
        lines += [f"echo '=== {number}'", commands]
    return "\n".join([*lines, f"echo '=== {len(page)}'"])


@pytest.mark.timeout(280)
def test_every_command_of_the_page_runs_and_prints_what_it_shows(tmp_path: Path) -> None:
    page = blocks()
    done = subprocess.run(
        ["bash", "-c", script(page)],
        cwd=clone(tmp_path / "settle"),
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=270,
        check=False,
    )
    printed = re.split(r"^=== \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    for block, text in zip(page, printed, strict=False):
        for line in block.shown:
            assert line in text, f"line {block.line} of the page promises {line!r}; printed:\n{text}"
    assert (done.returncode, len(printed)) == (0, len(page) + 1), done.stdout[-3000:]


def test_the_page_has_no_command_that_is_not_run() -> None:
    page = PAGE.read_text(encoding="utf-8")
    kinds = {fence.group(1) for fence in _FENCE.finditer(page)}
    assert kinds == {"sh", "text"}
    assert page.count("\n```\n") == len(_FENCE.findall(page))
    assert len(blocks()) >= 8
