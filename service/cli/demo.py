"""``settle demo``, and its four beats."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer
from rich.console import Console

if TYPE_CHECKING:
    from service.demo.play import Ending

STARTED = time.monotonic()
UNFIT = 6
"""Tickets of the demo that no procedure fits, about: for the estimate."""


class Beat(Protocol):
    """One of the four: plays in a folder of its own, and says whether its promise held."""

    __name__: str

    async def __call__(self, folder: Path, console: Console, *, browser: bool) -> bool:
        """Play."""
        ...


demo_app = typer.Typer(
    help="Do the main job on the retail example: 31 tickets, a real back office, one invoice.",
    invoke_without_command=True,
)
StateOption = Annotated[Path, typer.Option("--state", help="Where the demo keeps its state.")]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Change things through the API instead of the pages.")]
ModelOption = Annotated[
    str, typer.Option("--model", help="Give what no procedure fits to this model, provider:model; it is paid for.")
]
DollarsOption = Annotated[str, typer.Option("--dollars", help="With --model: the most that may be spent, in USD.")]
YesOption = Annotated[bool, typer.Option("--yes", help="With --model: spend it without asking.")]
ScriptedOption = Annotated[
    bool, typer.Option("--scripted", help="Four tickets with a scripted model: no key, nothing is asked or paid.")
]
_STATE = Path(".settle")


@demo_app.callback()
def demo(
    context: typer.Context,
    state: StateOption = _STATE,
    no_browser: NoBrowser = False,
    model: ModelOption = "",
    dollars: DollarsOption = "1.00",
    yes: YesOption = False,
    scripted: ScriptedOption = False,
) -> None:
    """Work on 31 tickets from the first word to the invoice; started again after a crash, it goes on where it was."""
    context.obj = (state, not no_browser)
    if context.invoked_subcommand is not None:
        return
    if model and scripted:
        raise typer.BadParameter("--model asks a real model and --scripted asks none: leave one of them out")
    if model or scripted:
        raise typer.Exit(asyncio.run(_with_model(state, model, dollars, sure=yes, browser=not no_browser)))
    raise typer.Exit(asyncio.run(_demo(state, browser=not no_browser)))


@demo_app.command()
def lie(context: typer.Context, no_browser: NoBrowser = False) -> None:
    """A lying agent claims a refund: 0.00, and why."""
    from service.demo.beats import lie

    _play(context, lie, browser=not no_browser)


@demo_app.command()
def reopen(context: typer.Context, no_browser: NoBrowser = False) -> None:
    """The customer reopens: reversal and credit note."""
    from service.demo.beats import reopen

    _play(context, reopen, browser=not no_browser)


@demo_app.command()
def tamper(context: typer.Context, no_browser: NoBrowser = False) -> None:
    """One byte of the evidence changed: verification names it."""
    from service.demo.beats import tamper

    _play(context, tamper, browser=not no_browser)


@demo_app.command()
def crash(context: typer.Context, no_browser: NoBrowser = False) -> None:
    """The demo killed with SIGKILL and started again: the same cents."""
    from service.demo.beats import crash

    _play(context, crash, browser=not no_browser)


def _play(context: typer.Context, beat: Beat, *, browser: bool) -> None:
    from service.demo.play import BEATS

    state, wanted = context.obj
    console = Console(soft_wrap=True)
    browser = _with_browser(console, wanted and browser)
    kept = asyncio.run(beat(state / BEATS / beat.__name__, console, browser=browser))
    console.print("[green]The promise held.[/]" if kept else "[red]The promise was broken.[/]")
    raise typer.Exit(0 if kept else 1)


async def _with_model(folder: Path, model: str, dollars: str, *, sure: bool, browser: bool) -> int:
    """The tickets of the demo and four more with a model; only these four with the scripted one."""
    from agents.errors import ModelFailed
    from agents.models.budget import dollars as in_dollars
    from agents.models.naming import open_model
    from service.assembly import running
    from service.demo.display import Display, ending_table
    from service.demo.play import ending, invoice, let_settle, retail_example, work
    from service.demo.script import Script
    from service.demo.scripted import DemoModel
    from service.demo.with_model import estimate, extra_script, model_state, share, story

    console = Console(soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 180)
    extra, all_of_them = extra_script(), Script(retail_example())
    if model:
        try:
            open_model(model)
            console.print(estimate(model, len(extra.tickets) + UNFIT, dollars), highlight=False)
        except ModelFailed as error:
            console.print(f"[red]{error}[/]", highlight=False)
            return 2
        if not sure and not typer.confirm(f"Ask {model}, and spend up to {dollars} USD?", default=False):
            console.print("Nothing was asked.")
            return 1
    else:
        console.print(
            "[bold]SCRIPTED MODEL[/]: no model is asked; every word of its answers is written in the program."
        )
    browser = _with_browser(console, browser)
    state = model_state(folder, model=model, dollars=dollars)
    stand_in = DemoModel()
    plays = [all_of_them, extra] if model else [extra]
    with Display(console, sum(len(one.tickets) for one in plays)) as display:
        chosen = None if model else lambda work: lambda role: stand_in
        async with running(state, browser=browser, progress=display, models=chosen) as run:
            for script in plays:
                await work(run, script)
            for script in plays:
                await let_settle(run, script)
            invoice(run)
            end, found = ending(run), share(run)
            told = {ticket.id: list(story(run, ticket.id)) for ticket in extra.tickets}
    console.print(ending_table(end))
    for ticket_id, lines in told.items():
        console.print(f"[bold]{ticket_id}[/]")
        for line in lines:
            console.print(f"  {line}", highlight=False, markup=False)
    console.print(
        f"Resolved {found.resolved} of {found.tickets} tickets; {found.resolved - found.with_model} without a model. "
        f"{model or 'The scripted model'} was asked {found.answers} times for {found.asked} tickets: "
        f"{in_dollars(found.micros)}.",
        highlight=False,
    )
    agree = not end.problems and end.charged == end.ledger == end.invoiced
    console.print(f"Outcomes {end.charged} = ledger {end.ledger} = invoices {end.invoiced}." if agree else "DIFFER")
    return 0 if agree else 1


async def _demo(folder: Path, *, browser: bool) -> int:
    from service.assembly import running
    from service.demo.display import Display, ending_table
    from service.demo.play import demo_state, ending, invoice, let_settle, mark_finished, retail_example, work
    from service.demo.script import Script
    from service.report import write_report

    console = Console(soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 180)
    browser = _with_browser(console, browser)
    state, resumed = demo_state(folder)
    if resumed:
        console.print(f"A demo in {folder} was interrupted: it goes on where it was.")
    script = Script(retail_example())
    with Display(console, len(script.tickets)) as display:
        async with running(state, browser=browser, progress=display) as run:
            ready = time.monotonic() - STARTED
            display.say(f"Back office, database and engine are up after {ready:.1f} s. {len(script.tickets)} tickets.")
            await work(run, script)
            display.say("The clock is moved ahead: the settlement windows pass.")
            await let_settle(run, script)
            display.say("The month ends.")
            invoice(run)
            end = ending(run)
    report = write_report(state, folder / "report.html")
    mark_finished(state)
    console.print(ending_table(end))
    _closing(console, folder, report, end, ready)
    return 0 if not end.problems and end.charged == end.ledger == end.invoiced else 1


def _closing(console: Console, folder: Path, report: Path, end: Ending, ready: float) -> None:
    for problem in end.problems:
        console.print(f"[red]{problem}[/]", highlight=False)
    settle = _command()
    agree = "agree to the cent" if not end.problems and end.charged == end.ledger == end.invoiced else "DIFFER"

    def say(text: str) -> None:
        console.print(text, highlight=False)

    say(f"Outcomes {end.charged} = ledger {end.ledger} = invoices less credit notes {end.invoiced}: they {agree}.")
    say(f"\nReport   {report}")
    for bundle in end.bundles:
        say(f"Bundle   {bundle}  ({settle} verify-invoice {bundle})")
    say("\nNow put the promises to the test:")
    say(f"  {settle} demo lie      a lying agent claims a refund: 0.00, and why")
    say(f"  {settle} demo reopen   the customer reopens: reversal and credit note")
    say(f"  {settle} demo tamper   one byte of the evidence changed: verification names it")
    say(f"  {settle} demo crash    the demo killed with SIGKILL and started again: the same cents")
    set_up = os.environ.get("SETTLE_SETUP_SECONDS")
    total = time.monotonic() - STARTED
    cold = f"cold start {float(set_up) + ready:.0f} s (set-up {set_up} s), " if set_up else ""
    say(f"\nTime     {cold}warm start {ready:.1f} s, whole demo {total:.0f} s")
    say(f"Disk     {_megabytes(Path(sys.prefix))} MB of Python environment, {_megabytes(folder)} MB of state")


def _command() -> str:
    """How to call this very ``settle`` from here."""
    own = Path(sys.prefix) / "bin" / "settle"
    found = shutil.which("settle")
    if not own.exists() or (found and Path(found).resolve() == own.resolve()):
        return "settle"
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)


def _with_browser(console: Console, wanted: bool) -> bool:
    """True if tools get a browser; says so when they do not."""
    from agents.errors import BrowserUnavailable
    from service.browser_setup import ensure_browser

    if wanted:
        try:
            ensure_browser(console.print)
        except BrowserUnavailable as error:
            console.print(f"[red]{error}[/]", highlight=False)
            console.print("Or run the demo without one: settle demo --no-browser")
            raise typer.Exit(2) from None
        return True
    console.print("[yellow]Without a browser: changes go through the back office's API; there are no screenshots.[/]")
    return False


def _megabytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) // 1_000_000
