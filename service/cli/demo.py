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
_STATE = Path(".settle")


@demo_app.callback()
def demo(context: typer.Context, state: StateOption = _STATE, no_browser: NoBrowser = False) -> None:
    """Work on 31 tickets from the first word to the invoice; started again after a crash, it goes on where it was."""
    context.obj = (state, not no_browser)
    if context.invoked_subcommand is None:
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
