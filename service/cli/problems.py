"""The table of what was wrong in a file of tickets."""

from __future__ import annotations

from collections.abc import Sequence

from service.cli.output import print_table
from service.intake import RowProblem


def print_problems(problems: Sequence[RowProblem]) -> None:
    """Every row that was left out, or taken with a change; nothing if there is none."""
    if problems:
        print_table(
            ("Row>", "Taken", "Problem"),
            [(problem.row or "-", "yes" if problem.kept else "no", problem.message) for problem in problems],
            title="What was wrong in the file",
        )
