"""Acme Home's back office as tests use it: its own process, found by the one line it prints."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

RETAIL = Path(__file__).parents[2] / "examples" / "retail"
CREDENTIALS = {
    "BACK_OFFICE_USER": "m.reyes",
    "BACK_OFFICE_PASSWORD": "correct horse",
    "BACK_OFFICE_WRITE_TOKEN": "token-write",
    "BACK_OFFICE_READ_TOKEN": "token-read",
    "BACK_OFFICE_AUDIT_TOKEN": "token-audit",
}
TODAY = "2026-03-02"


@dataclass(frozen=True, slots=True)
class BackOffice:
    """A running back office."""

    url: str
    process: subprocess.Popen[str]

    def api(self, scope: str = "read") -> httpx2.Client:
        """A client with the token of `scope`: write, read or audit."""
        headers = {"Authorization": f"Bearer token-{scope}"}
        return httpx2.Client(base_url=self.url + "/api/v1", headers=headers, timeout=20)


@contextmanager
def running(database: Path, *options: str) -> Iterator[BackOffice]:
    """Start the back office on `database`, yield it when it listens, stop it by ending its standard input."""
    process = subprocess.Popen(
        [sys.executable, RETAIL / "back_office", "--database", database, "--exit-on-stdin-eof", *options],
        env={**os.environ, **CREDENTIALS}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield BackOffice(json.loads(process.stdout.readline())["url"], process)
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
