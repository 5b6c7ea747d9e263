"""The table of commands, loaded one at a time, and the errors that end them with a message instead of a traceback."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "init": ("init:app", "Make a folder with a small deployment that works, to be made your own."),
    "lint": ("lint:app", "List everything that is wrong with a deployment, in one go."),
    "run": ("run:app", "Work on the tickets in a file, from the first word to the outcome."),
    "reply": ("reply:app", "Deliver what a requester wrote back to a ticket from a file."),
    "simulate": ("simulate:app", "Rehearse tickets of the past: what would be done and charged, and what wrongly."),
    "eval": ("eval:app", "Rehearse tickets with two versions of a deployment; fail below given rates."),
    "serve": ("serve:app", "Work on the tickets of a live helpdesk, until stopped."),
    "stop": ("stop:app", "The kill switch: nothing goes out any more, in whatever process works on the state."),
    "resume": ("resume:app", "Lift the kill switch, and let everything go on where it was."),
    "tickets": ("tickets:app", "List tickets: what happened, the verdict, the charge."),
    "outcomes": ("outcomes:app", "List outcomes and what they cost."),
    "runs": ("runs:app", "Show what was done for a ticket, step by step, with its evidence."),
    "approvals": ("approvals:app", "List what waits for a person's approval."),
    "approve": ("approve:app", "Answer an approval, and let its ticket go on."),
    "compile": ("compile:app", "Propose procedures from proven runs whose plans a model wrote; accept one."),
    "contract": ("contract:app", "Show the contract, or sign it."),
    "invoice": ("invoice:app", "List invoices and credit notes, show one, or close the periods that are over."),
    "verify-invoice": ("verify_invoice:app", "Check an invoice's bundle, offline."),
    "report": ("report:app", "Report week by week: what was resolved, proven, handed off, charged."),
    "tool": ("tool:app", "Write a new tool with its test, check tools, try one, accept those of MCP servers."),
    "doctor": ("doctor:app", "Find out what is missing on this machine, and how to get it."),
    "demo": ("demo:demo_app", "Do the main job on the retail example: 31 tickets, a real back office, one invoice."),
}
"""Name: (module of this package and its typer application, the line in the help)."""

REFUSED = 2
"""Exit code of a usage error, or of a document or deployment that cannot be used."""
_ROOTS = {
    ("service.errors", "ServiceError"),
    ("agents.errors", "AgentsError"),
    ("evaluators.errors", "EvaluatorsError"),
    ("billing.errors", "BillingError"),
}
"""Our exception trees by name, so that none of these packages has to be imported to print a help text."""


class Commands(TyperGroup):
    """The commands of the table, each standing in for itself until it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, text) in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=text)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command of that name, loaded now."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, _loaded(name) if name in COMMANDS else command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run a command; errors that say what to do end it with their message."""
        try:
            return super().invoke(ctx)
        except ImportError as error:
            _refuse_foreign_packages(error)
            raise
        except Exception as error:
            if not _says_what_to_do(error):
                raise
            refuse(str(error))


def refuse(message: str) -> NoReturn:
    """End the command with a message on stderr and the exit code `REFUSED`."""
    typer.echo(message, err=True)
    raise typer.Exit(REFUSED)


def _loaded(name: str | None) -> Any:
    assert name is not None, "the table holds names"
    module, _, attribute = COMMANDS[name][0].partition(":")
    application: typer.Typer = getattr(import_module(f"service.cli.{module}"), attribute)
    command = typer.main.get_command(application)
    command.name = name
    command.params = [one for one in command.params if one.name not in ("install_completion", "show_completion")]
    return command


def _says_what_to_do(error: Exception) -> bool:
    return any((kind.__module__, kind.__qualname__) in _ROOTS for kind in type(error).__mro__)


def _refuse_foreign_packages(error: ImportError) -> None:
    from service.packages import OWN_ENVIRONMENT, foreign_packages  # only now: it reads every package's record

    foreign = foreign_packages()
    if foreign:
        refuse("\n".join([*(str(one) for one in foreign), f"So an import failed: {error}", OWN_ENVIRONMENT]))
