"""What the demo shows while it works, and at its end."""

from __future__ import annotations

from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from agents.money import Money
from service.demo.play import Ending
from service.progress import Moment

_ENDS = {
    "ticket.resolved": "[green]resolved[/]",
    "task.handed_off": "[yellow]handed to a person[/]",
    "task.answered": "answered, nothing claimed",
    "task.waiting_requester": "[cyan]asks the requester[/]",
    "task.waiting_approval": "[cyan]waits for approval[/]",
    "outcome.settled": "[green]settled[/]",
    "outcome.reversed": "[red]reversed[/]",
    "outcome.void": "[red]void[/]",
    "outcome.rejected": "[red]not proven[/]",
}
_STEPS = {
    "plan.made": "planning",
    "effect.about_to": "acting",
    "effect.done": "acted",
    "claim.made": "claimed, being verified",
    "verdict.signed": "verdict signed",
}


class Display:
    """Live progress: a bar and what is being done on a terminal, a line per event elsewhere."""

    def __init__(self, console: Console, total: int) -> None:
        """``total`` tickets are expected."""
        self._console = console
        self._seen: set[str] = set()
        self.counts: Counter[str] = Counter()
        columns = (TextColumn("{task.description:<42}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._bar.add_task("starting", total=total)

    def __enter__(self) -> Display:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, moment: Moment) -> None:
        """Show one moment."""
        self.counts[moment.name] += 1
        step = _STEPS.get(moment.name)
        if step is not None:
            tool = f": {moment.data['tool']}" if "tool" in moment.data else ""
            self._bar.update(self._task, description=f"{moment.ticket_id} {step}{tool}")
        end = _ENDS.get(moment.name)
        if end is not None:
            code = moment.data.get("code", "")
            self.say(f"{moment.ticket_id}  {end}{f' [dim]{code}[/]' if code else ''}")
            if moment.ticket_id not in self._seen:
                self._seen.add(moment.ticket_id)
                self._bar.advance(self._task)
        if moment.name in ("invoice.issued", "bundle.written"):
            self.say(f"{moment.data['number']}  {moment.name.replace('.', ' ')}")

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, highlight=False)


def ending_table(ending: Ending) -> Table:
    """A line per ticket: what happened, verdict, evidence class, charge or why none."""
    table = Table(title="What became of each ticket", title_justify="left", header_style="bold", pad_edge=False)
    table.add_column("Ticket", no_wrap=True)
    table.add_column("Lang", no_wrap=True)
    table.add_column("What happened", ratio=1)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Evidence class", no_wrap=True)
    table.add_column("Charge", justify="right", no_wrap=True)
    table.add_column("or why none", no_wrap=True)
    for line in ending.tickets:
        outcome = line.outcome
        charged = outcome is not None and outcome.amount_minor > 0
        amount = Money(minor=outcome.amount_minor if outcome else 0, currency=ending.charged.currency)
        table.add_row(
            line.ticket,
            line.language,
            line.happened,
            line.verdict or "-",
            (outcome.evidence_class if outcome else None) or "-",
            f"[green]{amount.decimal:.2f}[/]" if charged else "[dim]0.00[/]",
            "" if charged or outcome is None else f"{outcome.state}: {outcome.reason}",
        )
    return table
