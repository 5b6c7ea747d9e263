"""Where this machine's Chromium is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_chromium() -> Path | None:
    """The Chromium to use: ``SETTLE_CHROMIUM``, then one on the PATH, then Playwright's own download; None if none."""
    named = os.environ.get("SETTLE_CHROMIUM")
    if named:
        return Path(named) if Path(named).exists() else None
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    return _downloaded()


def _downloaded() -> Path | None:
    root = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    homes = (
        [Path(root)]
        if root
        else [
            Path.home() / ".cache/ms-playwright",
            Path.home() / "Library/Caches/ms-playwright",
            Path.home() / "AppData/Local/ms-playwright",
        ]
    )
    patterns = (
        "chromium-*/chrome-linux*/chrome",
        "chromium-*/chrome-mac*/Chromium.app/Contents/MacOS/Chromium",
        "chromium-*/chrome-win*/chrome.exe",
        "chromium_headless_shell-*/chrome-*/headless_shell*",
        "chromium_headless_shell-*/chrome-*/chrome-headless-shell*",
    )
    found = [path for home in homes for pattern in patterns for path in sorted(home.glob(pattern))]
    return found[0] if found else None
