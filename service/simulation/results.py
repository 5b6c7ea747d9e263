"""Results on their way from the rehearsal to tables and pages: kept in a file, so that memory stays flat."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from service.simulation.running import Result


class Results:
    """Results in a file, a line each; they can be gone through as often as needed."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def add(self, result: Result) -> None:
        """Keep one more."""
        self._file.write(result.model_dump_json() + "\n")

    def __iter__(self) -> Iterator[Result]:
        self._file.seek(0)
        for line in self._file:
            yield Result.model_validate_json(line)


@contextmanager
def temporary_results() -> Iterator[Results]:
    """Results in a file that is gone when the block ends."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        yield Results(file)
