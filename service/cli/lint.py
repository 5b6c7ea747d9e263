"""``settle lint``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service.cli.output import AsJson, print_json, say
from service.lint import lint as look

app = typer.Typer(add_completion=False)


@app.command()
def lint(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The deployment folder.", show_default="here")
    ] = Path(),
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List everything that is wrong with the deployment in DIR, and what looks it. Only the tools' files are imported.

    Exit code 0: it can run; 1: it cannot, or there are warnings and --strict; 2: there is no deployment.
    """
    found = look(folder)
    ok = not found.problems and not (strict and found.warnings)
    if as_json:
        print_json({"ok": ok, **asdict(found)})
    else:
        say(*(f"problem: {problem}" for problem in found.problems))
        say(*(f"warning: {warning}" for warning in found.warnings))
        if found.examples is not None:
            tried = found.examples
            say(
                f"Each `like` line left out and looked at as a message: {tried.own} select their own procedure, "
                f"{tried.none} none, {tried.other} another."
            )
        verdict = "it cannot run like this" if found.problems else "it can run"
        counts = ", ".join(
            _count(one, name) for one, name in ((found.problems, "problem"), (found.warnings, "warning"))
        )
        say(f"{counts}: {verdict}.")
    if not ok:
        raise typer.Exit(1)


def _count(listed: Sequence[object], name: str) -> str:
    return f"{len(listed)} {name}{'' if len(listed) == 1 else 's'}"
