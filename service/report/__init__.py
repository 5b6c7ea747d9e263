"""The report: one HTML file about a state, for people who look. No scripts, nothing loaded from anywhere."""

from __future__ import annotations

from pathlib import Path

from service.deployment import State
from service.report.html import environment, whole_file
from service.report.view import ReportView, gather

__all__ = ["ReportView", "gather", "render", "write_report"]


def write_report(state: State, to: Path) -> Path:
    """Write the report on ``state`` to the file ``to``, whole or not at all; returns ``to``.

    Raises:
        InvalidDocument: the deployment's settings, or its contract while none is signed, cannot be used.
        OSError: the file cannot be written.
    """
    page = render(gather(state))
    with whole_file(to) as file:
        file.write(page)
    return to


def render(view: ReportView) -> str:
    """The report as HTML. Every value is escaped, and every invisible character in it is written out."""
    return environment().get_template("report.html").render(report=view)
