"""The command ``settle``. This module imports nothing heavy: each command's module is loaded when it is called."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from service.cli.commands import Commands

app = typer.Typer(
    name="settle",
    cls=Commands,
    help="Settle resolves support tickets and bills only for outcomes that are proven.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app(prog_name="settle")


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            print(f"settle {version('settle-agents')}")  # noqa: T201
        except PackageNotFoundError:
            print("settle, from its source (not installed)")  # noqa: T201
        raise typer.Exit


@app.callback()
def _settle(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass
