"""pytest as a tool author runs it: a process of its own, with Settle's plugin installed by its entry point."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path

from tests.service.builders import PYTHON, ROOT


def installed(folder: Path) -> Path:
    """A folder to be put on the path, which says of Settle what its wheel would say about pytest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    entries = project["entry-points"]["pytest11"]
    about = folder / "settle_agents-0.1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: settle-agents\nVersion: 0.1.0\n")
    lines = [f"{name} = {module}" for name, module in entries.items()]
    (about / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    return folder


def run_pytest(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the tests in ``folder``, warnings as errors; nothing but what is installed is on its path."""
    site = folder / ".site"
    if not site.is_dir():
        installed(site)
    options = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    return subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *options, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "COLUMNS": "300", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
