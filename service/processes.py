"""Processes that a deployment needs beside it: started with it, and gone when it is gone, even by SIGKILL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType

from service.errors import ProcessFailed
from service.settings import ProcessSettings, Secrets

START_SECONDS = 30
"""How long a process may take to say that it is ready."""


class Processes:
    """The running processes of one deployment, by name."""

    def __init__(self, wanted: tuple[ProcessSettings, ...], *, deployment: Path, state: Path, secrets: Secrets) -> None:
        """``secrets`` that are made up reach the processes as environment variables."""
        self._wanted = wanted
        self._deployment = deployment.resolve()
        self._state = state.resolve()
        self._secrets = secrets
        self._running: list[subprocess.Popen[str]] = []
        self.urls: Mapping[str, str] = {}

    def start(self, environment: Mapping[str, str]) -> None:
        """Start all of them and wait until each has printed its URL; `ProcessFailed` names one that did not."""
        urls = {}
        for one in self._wanted:
            places = {"python": sys.executable, "state": str(self._state), "deployment": str(self._deployment)}
            command = [part.format(**places) for part in one.command]
            try:
                process = subprocess.Popen(
                    command,
                    cwd=self._deployment,
                    env={**os.environ, **one.environment, **environment},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            except OSError as error:
                raise ProcessFailed(one.name, f"{command[0]}: {error.strerror}") from error
            self._running.append(process)
            urls[one.name] = _ready(one.name, process)
        self.urls = urls

    def stop(self) -> None:
        """Stop all of them."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._running.clear()

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _ready(name: str, process: subprocess.Popen[str]) -> str:
    lines: Queue[str] = Queue()
    assert process.stdout is not None, "stdout is a pipe"
    stdout = process.stdout
    threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    try:
        line = lines.get(timeout=START_SECONDS)
        return str(json.loads(line)["url"])
    except Empty:
        raise ProcessFailed(name, f"was not ready within {START_SECONDS} s") from None
    except (ValueError, KeyError, TypeError):
        raise ProcessFailed(name, f"did not start (exit {process.poll()}); its messages are above") from None
