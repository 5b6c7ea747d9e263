"""How pages are made: every value escaped, every invisible character written out, the file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from service.reasons import words
from service.shown import harmless

_TEMPLATES = Path(__file__).parent / "templates"


def environment(*folders: Path) -> Environment:
    """The templates in ``folders``, which may include and import the report's own."""
    made = Environment(
        loader=FileSystemLoader([*folders, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["words"] = words
    return made


@contextmanager
def whole_file(to: Path) -> Iterator[TextIO]:
    """A file that appears at ``to`` when the block ends, and not at all if it fails; `OSError` if it cannot."""
    to.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
        Path(temporary).replace(to)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _finalized(value: Any) -> Any:
    """Every value passes here on its way into the page; only the template's own markup stays as it is."""
    return harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value
