"""The lines of a text file, one at a time: a file of any size, with lines of a bounded size, in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from service.intake.cleaning import without_controls
from service.intake.encodings import Encoding

MAX_LINE_CHARS = 32 * 1024 * 1024
"""Of a longer line only a beginning of this length is given."""


def lines_of(path: Path, encoding: Encoding) -> Iterator[str]:
    r"""The lines with ``\n`` at their ends, without control characters; of one that is too long, its beginning."""
    with path.open(encoding=encoding.codec, errors=encoding.errors, newline="") as file:
        while line := file.readline(MAX_LINE_CHARS):
            yield without_controls(line)
            while len(line) == MAX_LINE_CHARS and not line.endswith(("\n", "\r")):
                line = file.readline(MAX_LINE_CHARS)


def text_of(path: Path, encoding: Encoding) -> str:
    """The whole text, as it stands in the file."""
    with path.open(encoding=encoding.codec, errors=encoding.errors, newline="") as file:
        return file.read()
