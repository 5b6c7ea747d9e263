"""Pages of docs/ whose commands are run as they stand, in order, and print what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.service.builders import PYTHON, ROOT

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FAILS = re.compile(r"^(.*\S)\s+# exit code (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Commands of the page, and what they are said to print."""

    line: int
    commands: str
    shown: tuple[str, ...]


def fences(page: Path) -> Iterator[tuple[int, str, str]]:
    """(line, kind, body) of every block of code."""
    text = page.read_text(encoding="utf-8")
    assert text.count("\n```\n") == len(_FENCE.findall(text)), "a block is not closed, or does not say what it is"
    for fence in _FENCE.finditer(text):
        yield text.count("\n", 0, fence.start()) + 1, fence.group(1), fence.group(2)


def blocks(page: Path) -> list[Block]:
    """All ``sh`` blocks in order, each with the ``text`` block that follows it, if one does."""
    found: list[Block] = []
    for line, kind, body in fences(page):
        if kind == "sh":
            found.append(Block(line=line, commands=body, shown=()))
        elif kind == "text":
            found[-1] = Block(line=found[-1].line, commands=found[-1].commands, shown=tuple(body.splitlines()))
    return found


def clone(folder: Path) -> Path:
    """What a page begins in: a clone, with its environment in place, since tests install nothing."""
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-test.lock"):
        shutil.copy(ROOT / name, folder / name)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, module in (("settle", "service.cli"), ("pytest", "pytest")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{PYTHON}" -m {module} "$@"\n')
        program.chmod(0o755)
    (folder / ".venv" / "run.stamp").touch()
    (folder / ".venv" / "test.stamp").touch()
    return folder


def run(page: Path, folder: Path, *path: Path) -> None:
    """Run every command of ``page`` in ``folder``; ``path`` is searched for packages before Settle's.

    All blocks are one script, so that folders and variables last; each announces itself.
    """
    commands = blocks(page)
    lines = ["set -e", "exec 2>&1"]
    for number, block in enumerate(commands):
        lines += [f"echo '=== {number}'", _FAILS.sub(r"if \1; then exit 99; else test $? -eq \2; fi", block.commands)]
    done = subprocess.run(
        ["bash", "-c", "\n".join([*lines, f"echo '=== {len(commands)}'"])],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (*path, ROOT))),
            "PYTHONUTF8": "1",
            "MAKEFLAGS": "",
        },
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=270,
        check=False,
    )
    printed = re.split(r"^=== \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    for block, text in zip(commands, printed, strict=False):
        for line in block.shown:
            assert line in text, f"line {block.line} of the page promises {line!r}; printed:\n{text}"
    assert (done.returncode, len(printed)) == (0, len(commands) + 1), done.stdout[-3000:]
