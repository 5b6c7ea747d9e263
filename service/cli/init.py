"""``settle init``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from service.cli.output import say
from service.starter import SAMPLES, deployment_name, make_deployment

app = typer.Typer(add_completion=False)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is empty, or not there yet.")],
    name: Annotated[
        str, typer.Option("--name", metavar="TENANT", help="What the books call the team; DIR's own name if not given.")
    ] = "",
) -> None:
    """Make DIR a small deployment that works as it stands: two kinds of request, a contract, a system of record.

    Nothing that exists is written over.
    """
    made_of = name or folder.absolute().name
    tenant = deployment_name(made_of)
    if tenant is None or (name and tenant != name):
        hint = f", for example {tenant}" if tenant else ""
        raise typer.BadParameter(
            f"{made_of!r} is not a name of lower-case letters, digits and -, at most 40, not 'vendor'{hint}",
            param_hint="--name",
        )
    state = make_deployment(folder, tenant)
    here = folder.absolute() == Path.cwd()
    say(
        f"Made {folder}: the deployment {tenant}. README.md says what each file is for.",
        f"Its keys, secrets and data are in {folder / state.folder.name}: back it up, and show it to nobody.",
        "Next:",
        *([] if here else [f"  cd {shlex.quote(str(folder))}"]),
        "  settle lint .",
        f"  settle run {SAMPLES}",
        "  settle contract sign --as vendor && settle contract sign --as customer   # then outcomes are charged",
    )
