"""The report: one HTML file about a state, for people who look. No scripts, nothing loaded from anywhere."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from service.deployment import State
from service.reasons import words
from service.report.view import ReportView, gather
from service.shown import harmless

__all__ = ["ReportView", "gather", "render", "write_report"]

_TEMPLATES = Path(__file__).parent / "templates"


def write_report(state: State, to: Path) -> Path:
    """Write the report on ``state`` to the file ``to``, whole or not at all; returns ``to``.

    Raises:
        InvalidDocument: the deployment's settings, or its contract while none is signed, cannot be used.
        OSError: the file cannot be written.
    """
    data = render(gather(state)).encode()
    to.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(to)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return to


def render(view: ReportView) -> str:
    """The report as HTML. Every value is escaped, and every invisible character in it is written out."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = words
    return environment.get_template("report.html").render(report=view)


def _finalized(value: Any) -> Any:
    """Every value passes here on its way into the page; only the template's own markup stays as it is."""
    return harmless(value) if isinstance(value, str) and not isinstance(value, Markup) else value
