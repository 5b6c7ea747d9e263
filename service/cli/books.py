"""A state folder opened to be read: its database, its deployment's settings and contract; no process is started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from agents.documents import Source
from agents.evidence import FileEvidenceStore
from billing import Contract, load_contract
from service.cli.output import warn
from service.clock import OffsetClock
from service.database import Database, open_database
from service.deployment import MARK, SETTINGS, STATE, State, find_deployment, make_state, open_state
from service.errors import NoState
from service.settings import Settings, load_settings
from service.stopping import Switch

StateOption = Annotated[Path | None, typer.Option("--state", help="The state folder; ./.settle if not named.")]
WorkStateOption = Annotated[
    Path | None, typer.Option("--state", help="The state folder; .settle in the deployment's folder if not named.")
]
"""Of commands that take a `DeploymentOption` too."""
DeploymentOption = Annotated[
    Path | None,
    typer.Option(
        "--deployment",
        help="The deployment folder; if not named, that of --state, else this folder, else that of ./.settle.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All that a command reads."""

    state: State
    settings: Settings
    contract_source: Source
    contract: Contract
    """The deployment's contract as its file says, signed or not."""
    database: Database
    clock: OffsetClock
    evidence: FileEvidenceStore

    @property
    def tenant(self) -> str:
        """Whose books these are."""
        return self.settings.tenant

    @property
    def currency(self) -> str:
        """The contract's."""
        return self.contract.currency


def say_if_stopped(state: State) -> None:
    """Say it loud while the kill switch is on, beside whatever a command prints."""
    standing = Switch(state.folder).standing()
    if standing is not None:
        warn(
            f"STOPPED: {standing}. Nothing goes out: no effect, no reply, no change in the helpdesk. "
            f"`settle resume{state_option(state)}` lets the desk go on."
        )


@contextmanager
def open_books(named: Path | None) -> Iterator[Books]:
    """The books in the state folder ``named``, else in ``./.settle``.

    Raises:
        NoState, DatabaseDamaged: there is no state there, or its database is gone or damaged.
        InvalidDocument: the deployment's settings or contract cannot be read.
    """
    state = open_state(named if named is not None else Path.cwd() / STATE)
    say_if_stopped(state)
    settings = load_settings(state.deployment / SETTINGS)
    source, contract = load_contract(state.deployment / settings.contract)
    database = open_database(state, settings)
    try:
        yield Books(
            state=state,
            settings=settings,
            contract_source=source,
            contract=contract,
            database=database,
            clock=OffsetClock(state.folder / "clock"),
            evidence=FileEvidenceStore(state.evidence),
        )
    finally:
        database.close()


def state_to_work_on(deployment: Path | None, state: Path | None) -> State:
    """The state for a command that works: made if there is none yet.

    Raises:
        NoDeployment: no deployment is named, and none is here.
        NoState: the state folder belongs to another deployment, or cannot be made.
    """
    if deployment is None and state is not None and (state / MARK).is_file():
        standing = open_state(state)
        say_if_stopped(standing)
        return standing
    folder, usual = find_deployment(deployment, Path.cwd())
    try:
        made = make_state(state or usual, folder)
    except OSError as error:
        raise NoState(f"{state or usual} cannot be made: {error.strerror}; name another folder with --state") from None
    if made.deployment != folder.resolve():
        raise NoState(
            f"{made.folder} is the state of {made.deployment}, not of {folder.resolve()}; "
            "name another state folder with --state"
        )
    say_if_stopped(made)
    return made


def state_option(state: State) -> str:
    """What to add to a suggested command so that it finds ``state``; empty where it does by itself."""
    return "" if state.folder.resolve() == (Path.cwd() / STATE).resolve() else f" --state {state.folder}"
