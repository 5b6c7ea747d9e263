"""Which helpdesk a deployment works on: its settings in, a connector out."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents import tables
from agents.canonical import sha256_hex
from agents.clock import Clock
from agents.errors import InvalidDocument, Problem, TicketNotFound
from agents.ticket import Helpdesk, Ticket
from service.database import Database
from service.deployment import State
from service.errors import SettingMissing
from service.helpdesks.django_helpdesk import DjangoHelpdesk
from service.helpdesks.embedded import EmbeddedHelpdesk
from service.helpdesks.http import HttpHelpdesk
from service.settings import (
    CustomHelpdeskSettings,
    DjangoHelpdeskSettings,
    EmbeddedHelpdeskSettings,
    HttpHelpdeskSettings,
    LiveHelpdeskSettings,
    Secrets,
    Settings,
    fill_in,
)
from service.tables import rollouts


def connect(
    settings: Settings, *, folder: Path, database: Database, clock: Clock, secrets: Secrets, urls: Mapping[str, str]
) -> Helpdesk:
    """The helpdesk that ``settings`` name: here in ``database``, or as `connect_elsewhere` has it."""
    if isinstance(settings.helpdesk, EmbeddedHelpdeskSettings):
        return EmbeddedHelpdesk(database, settings.tenant, clock)
    return connect_elsewhere(settings.helpdesk, settings.tenant, folder=folder, secrets=secrets, urls=urls)


def connect_elsewhere(
    settings: LiveHelpdeskSettings, tenant: str, *, folder: Path, secrets: Secrets, urls: Mapping[str, str]
) -> Helpdesk:
    """A connector to a helpdesk elsewhere; nothing is sent to it yet.

    Args:
        folder: the deployment's, where a connector of its own is looked for.
        urls: of the running processes.

    Raises:
        SettingMissing: a setting refers to what is not there, or the connector does not take what it says.
        InvalidDocument: the deployment's own connector cannot be used.
    """

    def filled(name: str, text: str) -> str:
        return fill_in(text, secrets=secrets, urls=urls, setting=f"[helpdesk] {name}")

    try:
        match settings:
            case DjangoHelpdeskSettings():
                return DjangoHelpdesk(
                    tenant=tenant,
                    url=filled("url", settings.url),
                    token=filled("token", settings.token),
                    agent_user=settings.agent_user,
                    hand_off_queue=settings.hand_off_queue,
                )
            case HttpHelpdeskSettings():
                url, token = filled("url", settings.url), filled("token", settings.token)
                return HttpHelpdesk(tenant=tenant, url=url, token=token)
            case CustomHelpdeskSettings():
                told = {name: filled(f"settings.{name}", value) for name, value in settings.settings.items()}
                made: Helpdesk = _connector(folder, settings.connector)(tenant=tenant, **told)
                return made
    except (ValueError, TypeError) as error:
        raise SettingMissing("[helpdesk]", str(error)) from None
    raise AssertionError(f"no connector for {type(settings).__name__}")


def known_tickets(state: State, settings: Settings, database: Database, clock: Clock) -> list[Ticket]:
    """The tickets that were opened here, or that were worked on elsewhere and are still there; by id.

    Raises:
        HelpdeskUnavailable: they are elsewhere, and their helpdesk does not answer.
    """
    secrets = state.secrets(settings)
    helpdesk = connect(settings, folder=state.deployment, database=database, clock=clock, secrets=secrets, urls={})
    if isinstance(helpdesk, EmbeddedHelpdesk):
        return helpdesk.list()
    with database.transaction() as session:
        known = {task.ticket_id for task in tables.tasks(session, settings.tenant)}
        ids = sorted(known | {row.ticket_id for row in rollouts(session, settings.tenant)})
    return asyncio.run(_still_there(helpdesk, ids))


async def _still_there(helpdesk: Helpdesk, ids: Sequence[str]) -> list[Ticket]:
    found = []
    for id in ids:
        try:
            found.append(await helpdesk.get(id))
        except TicketNotFound:
            continue
    return found


def _connector(folder: Path, reference: str) -> Any:
    """The class that ``FILE.py:Class`` names."""
    file, _, name = reference.partition(":")
    path = folder / file
    module_name = f"settle_helpdesk_{sha256_hex(str(path.resolve()).encode())[:12]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise _refused(path, "is not a Python file that exists")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _refused(path, f"{type(error).__name__}: {error}") from error
    made = getattr(module, name, None)
    if not inspect.isclass(made):
        raise _refused(path, f"has no class {name!r}")
    missing = [each for each in _METHODS if not callable(getattr(made, each, None))]
    if missing:
        raise _refused(path, f"{name} has no {', '.join(missing)}: docs/connectors.md lists what a connector does")
    return made


_METHODS = sorted(name for name, one in vars(Helpdesk).items() if inspect.isfunction(one) and name[0] != "_")


def _refused(path: Path, message: str) -> InvalidDocument:
    return InvalidDocument([Problem(file=str(path), line=None, field="", message=message)])
