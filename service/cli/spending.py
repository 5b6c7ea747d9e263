"""Options of commands that may ask models, and what is said before they cost money."""

from __future__ import annotations

import sys
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from service.cli.commands import REFUSED, refuse
from service.cli.output import warn
from service.model_settings import ModelSettings, micros
from service.model_use import dollars as shown

ModelsOption = Annotated[bool, typer.Option("--models", help="Ask models where a procedure does; that costs money.")]
DollarsOption = Annotated[
    str | None, typer.Option("--dollars", metavar="AMOUNT", help="With --models: the most that they may cost, in US $.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="With --models: spend it without being asked.")]


def spending(models: bool, dollars: str | None) -> Decimal | None:
    """The most that models may cost; None if none is to be asked; ends the command if the options contradict."""
    if not models:
        if dollars is not None:
            raise typer.BadParameter("no model is asked without --models", param_hint="--dollars")
        return None
    if dollars is None:
        raise typer.BadParameter("say what they may cost at most, for example --dollars 5", param_hint="--models")
    try:
        amount = Decimal(dollars)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not Decimal("0.000001") <= amount <= 1_000_000:
        raise typer.BadParameter(f"{dollars!r} is no amount of US dollars", param_hint="--dollars")
    return amount


def confirm(runs: int, models: ModelSettings | None, dollars: Decimal, yes: bool) -> None:
    """Say what ``runs`` that may come to a model cost at most, and end the command unless somebody agrees."""
    if models is None or not runs:
        warn("Nothing in these tickets comes to a model of this deployment; none will be asked.")
        return
    run, cap = models.limits.micros or 0, micros(dollars)
    who = f"{runs:,} run{'' if runs == 1 else 's'} may ask models"
    warn(
        f"{who}. By [models.run] each costs {shown(run)} at most, together {shown(runs * run)}; no more than "
        f"{shown(cap)} is spent here, and what comes to a model after that ends as: needs a model."
    )
    if yes:
        return
    if not sys.stdin.isatty():
        refuse("Nothing was asked: say --yes to spend that.")
    if not typer.confirm(f"Spend up to {shown(min(cap, runs * run))}?", err=True):
        raise typer.Exit(REFUSED)
