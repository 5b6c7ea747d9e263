"""``settle compile``."""

from __future__ import annotations

from typing import Annotated

import typer

from agents.errors import InvalidDocument
from service.cli.books import StateOption, open_books
from service.cli.commands import refuse
from service.cli.output import say
from service.compiling import accept, propose, write, written_plans
from service.deployment import load_deployment

app = typer.Typer(add_completion=False)


@app.command("compile")
def compile_procedures(
    state: StateOption = None,
    name: Annotated[str, typer.Option("--name", help="What a proposed procedure is called.")] = "compiled",
    ask: Annotated[
        str, typer.Option("--ask", metavar="REPLY", help="The reply that asks for what a requester left out.")
    ] = "",
    accepted: Annotated[
        str, typer.Option("--accept", metavar="NAME", help="Make the proposal NAME a procedure; you have read it.")
    ] = "",
) -> None:
    """Write procedures/NAME.yaml.proposed from proven runs whose plans a model wrote; nothing uses it until accepted.

    Exit code 0: something was proposed or accepted; 1: nothing can be; 2: the deployment or a name cannot be used.
    """
    with open_books(state) as books:
        deployment = load_deployment(books.state.deployment)
        if accepted:
            try:
                say(f"{accept(deployment, accepted)} is a procedure now; `settle lint` looks at all of them.")
            except FileNotFoundError:
                refuse(f"there is no proposal {accepted}; `settle compile` writes proposals")
            except FileExistsError as error:
                refuse(str(error))
            return
        if ask and ask not in deployment.replies.names():
            refuse(f"no reply is called {ask!r}; there are {', '.join(sorted(deployment.replies.names()))}")
        plans = written_plans(books.database, books.evidence, books.tenant)
        found = list(propose(deployment, plans, name=name, ask=ask or f"ask-{name}"))
        for one in found:
            if one.obstacle:
                say(one.obstacle)
                continue
            try:
                say(f"{write(deployment, one)} was proposed from {', '.join(one.runs)}. Read it, then:")
                say(f"  settle compile --accept {one.name}")
            except InvalidDocument as error:
                say(f"The proposal {one.name} has to be mended before it is accepted:", *map(str, error.problems))
        if not any(not one.obstacle for one in found):
            say("Nothing can be proposed." if found else "No proven run was planned by a model.")
            raise typer.Exit(1)
