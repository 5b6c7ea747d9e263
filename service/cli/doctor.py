"""``settle doctor``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from service.cli.books import DeploymentOption, WorkStateOption, say_if_stopped
from service.cli.output import AsJson, print_json, print_table, say
from service.deployment import MARK, find_deployment, open_state
from service.doctor import checks, healthy
from service.errors import NoDeployment

app = typer.Typer(add_completion=False)


@app.command()
def doctor(deployment: DeploymentOption = None, state: WorkStateOption = None, as_json: AsJson = False) -> None:
    """Check this machine, and the deployment and state if there are any. Exit code 1 if something essential fails."""
    folder, place = _places(deployment, state)
    if place is not None and (place / MARK).is_file():
        say_if_stopped(open_state(place, orphaned=True))
    findings = checks(folder, place)
    if as_json:
        print_json({"ok": healthy(findings), "findings": [asdict(finding) for finding in findings]})
    else:
        results = {True: "ok", False: "FAILED"}
        print_table(
            ("Check", "Result", "Found"),
            [(one.name, results[one.ok] if one.essential or one.ok else "missing", one.detail) for one in findings],
        )
        for finding in findings:
            say(*(() if finding.ok else (f"{finding.name}: {finding.advice}",)))
        say("All is well." if healthy(findings) else "Settle cannot work like this.")
        if folder is None:
            say("No deployment was looked at: there is none here, and none is named with --deployment.")
    if not healthy(findings):
        raise typer.Exit(1)


def _places(deployment: Path | None, state: Path | None) -> tuple[Path | None, Path | None]:
    if deployment is None and state is not None and (state / MARK).is_file():
        return open_state(state, orphaned=True).deployment, state
    try:
        folder, usual = find_deployment(deployment, Path.cwd())
    except NoDeployment:
        return None, state
    return folder, state or usual
