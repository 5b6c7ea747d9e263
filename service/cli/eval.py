"""``settle eval``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree

import typer

from service.cli.commands import REFUSED, refuse
from service.cli.output import AsJson, print_json, print_table, say, shown, warn
from service.cli.problems import print_problems
from service.cli.spending import DollarsOption, ModelsOption, YesOption, spending
from service.deployment import MARK, STATE, make_state, open_state
from service.simulation.comparison import Change, Gate, Limits, Played, Turn, changes, gates
from service.simulation.remarks import span

app = typer.Typer(add_completion=False)
SHOWN = 100
"""Changed tickets in a table for people; --json has them all."""
Share = Annotated[float | None, typer.Option(min=0, max=1)]
Count = Annotated[int | None, typer.Option(min=0)]


@app.command("eval")
def evaluate(
    file: Annotated[Path, typer.Argument(metavar="SET", help="Tickets of the past, as for settle simulate.")],
    candidate: Annotated[Path, typer.Option(metavar="DIR", help="The deployment folder to be judged.")],
    baseline: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The deployment folder as it was, a git worktree for example.")
    ] = None,
    min_resolved: Share = None,
    min_precision: Share = None,
    max_false_actions: Count = None,
    max_regressions: Count = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The state folder whose record both versions read; if not named, the candidate's .settle, else the "
            "baseline's, else a new one.",
        ),
    ] = None,
    models: ModelsOption = False,
    dollars: DollarsOption = None,
    yes: YesOption = False,
    junit: Annotated[Path | None, typer.Option(metavar="OUT", help="Write the result as JUnit XML.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rehearse SET with two versions of a deployment, say what changed, and fail below the given rates.

    Both versions read the same record: that of one state folder, which is named in what is printed. No model is asked
    without --models; with it, each version may spend the dollars.

    Exit code 0: every rate is kept; 1: one is not, or a row of SET could not be used; 2: SET or a deployment cannot be
    used.
    """
    spending(models, dollars)
    asking = ["--models", "--dollars", str(dollars), *(["--yes"] * yes)] if models else []
    limits = Limits(
        min_resolved=min_resolved,
        min_precision=min_precision,
        max_false_actions=max_false_actions,
        max_regressions=max_regressions,
    )
    if baseline is None and max_regressions is not None:
        raise typer.BadParameter("there is nothing to regress from without --baseline", param_hint="--max-regressions")
    with _record(state, candidate, baseline) as record:
        before = _played(file, baseline, record, asking) if baseline is not None else None
        after = _played(file, candidate, record, asking)
    changed = list(changes(before.tickets, after.tickets, after.summary.currency)) if before is not None else []
    kept = gates(limits, after.summary, sum(one.turn is Turn.WORSE for one in changed))
    kept += [
        Gate(name="rows of the set", wanted="all taken", found=f"row {one.row or '-'} {one.message}", ok=False)
        for one in after.problems
        if not one.kept
    ]
    if junit is not None:
        _write_junit(junit, kept, changed)
    if as_json:
        summaries = {"baseline": before.summary if before else None, "candidate": after.summary}
        ok = all(gate.ok for gate in kept)
        print_json({"ok": ok, "gates": kept, "changes": changed, **summaries})
    else:
        _print(before, after, changed, kept)
    if not all(gate.ok for gate in kept):
        raise typer.Exit(1)


@contextmanager
def _record(named: Path | None, candidate: Path, baseline: Path | None) -> Iterator[Path]:
    """The state folder that both versions are rehearsed with; a new one is gone afterwards.

    Raises:
        NoState: the folder that was named is none.
    """
    usual = [folder / STATE for folder in (candidate, baseline) if folder is not None]
    standing = named or next((folder for folder in usual if (folder / MARK).is_file()), None)
    if standing is not None:
        yield open_state(standing, orphaned=True).folder
        return
    with tempfile.TemporaryDirectory(prefix="settle-eval-") as temporary:
        yield make_state(Path(temporary) / "state", candidate).folder


def _played(file: Path, deployment: Path, record: Path, asking: list[str]) -> Played:
    """The set rehearsed in a process of its own, so that no module of one version is used by the other."""
    warn(f"Rehearsing {file} with {deployment} on the record of {record}")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        command = [sys.executable, "-m", "service.cli", "simulate", str(file), "--deployment", str(deployment)]
        command += ["--state", str(record), "--json", *asking]
        code = subprocess.run(command, stdout=out, check=False).returncode
        if code == REFUSED:
            raise typer.Exit(REFUSED)
        out.seek(0)
        text = out.read()
    if code not in (0, 1) or not text:
        refuse(f"the rehearsal with {deployment} ended with exit code {code}; its messages are above")
    return Played.model_validate_json(text)


def _print(before: Played | None, after: Played, changed: list[Change], kept: list[Gate]) -> None:
    order = list(Turn)
    listed = sorted(changed, key=lambda one: order.index(one.turn))[:SHOWN]
    if before is not None:
        title = f"Changed: {len(changed)} of {after.summary.tickets}" if changed else ""
        columns = ("Ticket", "Is", "Before", "After")
        rows = [(one.ticket, one.turn.value, one.before, one.after) for one in listed]
        print_table(columns, rows, title=title, empty="No ticket is treated differently.")
        if len(listed) < len(changed):
            say(f"and {len(changed) - len(listed)} more; --json has all of them")
    print_problems(after.problems)
    versions = [("baseline", before), ("candidate", after)]
    figures = [(name, played.summary) for name, played in versions if played is not None]
    print_table(
        ("Version", "Resolved", "As the history", "Claims that agree", "False actions>", "Missed>", "Models>", "Bill>"),
        [
            (
                name,
                one.resolved,
                one.right,
                one.precision,
                one.false_actions,
                one.missed,
                one.models.cost,
                span(one.bill_minor, one.bill_most_minor, one.currency),
            )
            for name, one in figures
        ],
    )
    if kept:
        rows = [(gate.name, gate.wanted, gate.found, "ok" if gate.ok else "FAILED") for gate in kept]
        print_table(("Asked for", "Wanted", "Found", "Result"), rows)


def _write_junit(to: Path, kept: list[Gate], changed: list[Change]) -> None:
    """A test case per rate, and one per ticket that is worse."""
    worse = [one for one in changed if one.turn is Turn.WORSE]
    suite = ElementTree.Element("testsuite", name="settle eval", tests=str(len(kept) + len(worse)))
    for gate in kept:
        case = ElementTree.SubElement(suite, "testcase", classname="settle.eval", name=f"{gate.name} {gate.wanted}")
        if not gate.ok:
            ElementTree.SubElement(case, "failure", message=shown(f"{gate.name}: {gate.found}, {gate.wanted}"))
    for one in worse:
        case = ElementTree.SubElement(suite, "testcase", classname="settle.eval.tickets", name=shown(one.ticket))
        ElementTree.SubElement(case, "skipped", message=shown(f"worse: {one.before} -> {one.after}"))
    try:
        ElementTree.ElementTree(suite).write(to, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        refuse(f"{to} cannot be written: {error.strerror}")
