"""Getting a Chromium: one that is there, else Playwright's, else the system's. ``python -m service.browser_setup``"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.errors import BrowserUnavailable
from agents.tools.browser import find_chromium

DOWNLOAD_SECONDS = 300
UPDATE_SECONDS = 120
START_SECONDS = 30
THREE_WAYS = (
    "There are three ways to get one:\n"
    "  python -m playwright install --with-deps chromium    (Playwright's own build)\n"
    "  apt-get install chromium                             (or your system's package)\n"
    "  SETTLE_CHROMIUM=/path/to/chromium                    (one that is elsewhere on this machine)"
)


def ensure_browser(say: Callable[[str], object]) -> Path:
    """The Chromium that tools will use, installed if there is none; ``say`` is told what is being done.

    Raises:
        BrowserUnavailable: none could be had; the message lists what a person can do.
    """
    named = os.environ.get("SETTLE_CHROMIUM")
    if named and find_chromium() is None:
        raise BrowserUnavailable(f"SETTLE_CHROMIUM names {named}, and there is no such file.\n{THREE_WAYS}")
    tried = []
    path = find_chromium()
    if path is not None:
        if _runs(path):
            return path
        tried.append(f"{path} is there and does not start")
    for text, commands in _ways():
        say(f"{text} ...")
        failure = next((failed for command, seconds in commands if (failed := _failure(command, seconds))), "")
        path = find_chromium()
        if path is not None and _runs(path):
            say(f"Chromium: {path}")
            return path
        tried.append(f"{text}: {failure or 'done, but no Chromium that starts was found'}")
    raise BrowserUnavailable("\n".join(["No Chromium could be started.", *tried, THREE_WAYS]))


def _ways() -> list[tuple[str, list[tuple[Sequence[str], int]]]]:
    playwright = [sys.executable, "-m", "playwright", "install", "chromium"]
    ways: list[tuple[str, list[tuple[Sequence[str], int]]]] = [
        ("Downloading Chromium with Playwright", [(playwright, DOWNLOAD_SECONDS)])
    ]
    apt = shutil.which("apt-get")
    if apt is not None and os.geteuid() == 0:
        install = [apt, "install", "-y", "--no-install-recommends", "chromium"]
        update = [apt, "update"]
        ways.append(("Installing the system's Chromium", [(update, UPDATE_SECONDS), (install, DOWNLOAD_SECONDS)]))
    return ways


def _runs(path: Path) -> bool:
    """True if the file is a program that can say its version: its libraries are there."""
    return not _failure([str(path), "--version"], START_SECONDS)


def _failure(command: Sequence[str], seconds: int) -> str:
    """Run a command quietly; why it failed, or nothing."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {seconds} s"
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if done.returncode == 0:
        return ""
    last = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()][-1:]
    return f"exit {done.returncode}{': ' + last[0].strip()[:200] if last else ''}"


def main() -> int:
    """Get a browser; 0 if there is one."""
    try:
        ensure_browser(lambda text: print(text, flush=True))  # noqa: T201
    except BrowserUnavailable as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
