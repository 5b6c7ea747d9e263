"""A deployment's settings: ``settle.toml``, with ``${secret.NAME}`` and ``${process.NAME.url}`` filled in late.

Secrets come from the environment, or from ``.settle/secrets.json`` (mode 0600), where those listed under
``[secrets] generate`` are made up on first use. They appear in no log, trace or error.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import tomllib
from collections.abc import Iterator, Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from agents.documents import NOT_UTF_8, Source, load_model, nearest
from agents.errors import InvalidDocument, Problem
from agents.knowledge import PUBLIC
from agents.policy.grant import Autonomy
from agents.tools.declared import ToolName
from agents.tools.http import HttpRules
from agents.tools.mcp import McpDeclaration
from agents.tools.openapi import OpenApiDeclaration
from billing.contract import Duration, Timezone
from evaluators.sources.knowledge import ARTICLE
from service.errors import SettingMissing
from service.model_settings import ModelSettings

_PLACE = re.compile(r"\$\{(secret|process)\.([A-Za-z0-9_]+)(?:\.url)?\}")
_PART = re.compile(r"\{([^{}]*)\}")
COMMAND_PLACES = ("python", "state", "deployment")
"""What is filled in in a process's command."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


HostName = Annotated[str, Field(pattern=r"^[a-z0-9.-]+$|^[0-9a-f:]+$")]
"""A host name or address in lower case, without a port."""


class HttpSettings(_Section):
    """What tools may ask over HTTP beside public https."""

    hosts: tuple[HostName, ...] = ()
    """The hosts that the tool ``http.get`` reads from; without any there is no such tool."""
    allow_private: tuple[HostName, ...] = ()
    """Hosts that may be on a private network or on this machine."""
    allow_http: tuple[HostName, ...] = ()
    """Hosts that may be reached without TLS."""

    @property
    def rules(self) -> HttpRules:
        """As the client takes them."""
        return HttpRules(
            hosts=frozenset(self.hosts),
            allow_private=frozenset(self.allow_private),
            allow_http=frozenset(self.allow_http),
        )


class ToolSettings(_Section):
    """Which files hold tools, and what they are told."""

    modules: tuple[str, ...]
    settings: dict[str, str] = {}
    http: HttpSettings = HttpSettings()
    openapi: dict[ToolName, OpenApiDeclaration] = {}
    """APIs with an OpenAPI document; the name stands before the dot of their tools."""
    mcp: dict[ToolName, McpDeclaration] = {}
    """MCP servers; the name stands before the dot of their tools."""


class HttpSourceSettings(_Section):
    """A read-only system of record of the evaluators, reached with a credential of its own."""

    kind: Literal["http"] = "http"
    url: str
    token: str
    paths: dict[str, str]
    """Kind of record to path, for example ``order = "/api/v1/orders/{key}"``."""
    age_from: tuple[str, ...] = ()
    """Fields with the time from which ``age_days`` counts; the first that is set is used."""

    @field_validator("paths")
    @classmethod
    def _with_a_key(cls, paths: dict[str, str]) -> dict[str, str]:
        for kind, path in paths.items():
            if not path.startswith("/") or path.count("{key}") != 1 or "{" in path.replace("{key}", ""):
                raise ValueError(f"the path of {kind} is {path!r}; write /, and {{key}} once: /api/{kind}s/{{key}}")
        return paths


class KnowledgeSourceSettings(_Section):
    """Articles as the evaluators read them: the files themselves, never the agent's index."""

    kind: Literal["knowledge"]
    folder: str = "knowledge"
    """Below the deployment's folder."""

    @property
    def paths(self) -> dict[str, str]:
        """Its one kind of record."""
        return {ARTICLE: self.folder}


SourceSettings = Annotated[
    Annotated[HttpSourceSettings, Tag("http")] | Annotated[KnowledgeSourceSettings, Tag("knowledge")],
    Discriminator(
        lambda data: data.get("kind", "http") if isinstance(data, dict) else data.kind,
        custom_error_type="kind",
        custom_error_message='kind is "http" or "knowledge"',
    ),
]
"""``kind`` says which, ``http`` where it is left out."""


class KnowledgeSettings(_Section):
    """The articles in ``knowledge/``: what may be quoted to whom."""

    base_language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] = "en"
    """Searched too where a requester's own language has no source."""
    audiences: dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")],
        tuple[Annotated[str, Field(pattern=r"^[^@\s,]*@?[a-z0-9.-]+\.[a-z0-9-]+$")], ...],
    ] = {}
    """Group to its mail domains (``partner.example``) and addresses, in lower case; ``public`` is everybody."""
    embeddings: bool = False
    """Search by meaning too."""

    @field_validator("audiences")
    @classmethod
    def _not_public(cls, audiences: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if PUBLIC in audiences:
            raise ValueError("public is everybody and has no members; give the group another name")
        return audiences


class ProcessSettings(_Section):
    """A process that the deployment needs beside it, started and stopped with it."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """``{python}``, ``{state}`` and ``{deployment}`` are filled in; it prints one line ``{"url": ...}`` when ready."""
    environment: dict[str, str] = {}
    """Variables it gets beside the secrets that are made up."""


class SecretSettings(_Section):
    """Secrets that may be made up on first use, because both sides of them are this deployment's."""

    generate: tuple[str, ...] = ()


class EmbeddedHelpdeskSettings(_Section):
    """Tickets in the app database, from files."""

    kind: Literal["embedded"] = "embedded"


class LiveHelpdeskSettings(_Section):
    """How ``settle serve`` learns what happens in a helpdesk elsewhere."""

    poll_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """Between two looks at what changed."""
    overlap_seconds: Annotated[int, Field(ge=0, le=86400)] = 300
    """How far each look reaches back behind the one before: more than the two clocks differ."""
    webhook_secret: str = ""
    """Of the helpdesk's webhooks; without one, no port is opened."""


class DjangoHelpdeskSettings(LiveHelpdeskSettings):
    """A django-helpdesk."""

    kind: Literal["django-helpdesk"]
    url: str
    token: str
    """API token of the agent's own staff user."""
    agent_user: int
    """That user's id."""
    hand_off_queue: int | None = None
    """Id of the queue that tickets for people are moved to."""


class HttpHelpdeskSettings(LiveHelpdeskSettings):
    """A helpdesk with the JSON API of docs/connectors.md."""

    kind: Literal["http"]
    url: str
    token: str


class CustomHelpdeskSettings(LiveHelpdeskSettings):
    """A connector of the deployment's own."""

    kind: Literal["custom"]
    connector: Annotated[str, Field(pattern=r"^[\w./-]+\.py:[A-Za-z_]\w*$")]
    """``FILE.py:Class`` below the deployment's folder."""
    settings: dict[str, str] = {}
    """What the class is told beside the tenant."""


HelpdeskSettings = Annotated[
    EmbeddedHelpdeskSettings | DjangoHelpdeskSettings | HttpHelpdeskSettings | CustomHelpdeskSettings,
    Field(discriminator="kind"),
]


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Mode = Literal["live", "shadow", "off"]


def _weekdays(value: Any) -> frozenset[int]:
    days: set[int] = set()
    for part in value.split(",") if isinstance(value, str) else ():
        first, dash, last = (each.strip().lower() for each in part.partition("-"))
        if first not in _DAYS or (dash and last not in _DAYS):
            break
        begin, end = _DAYS.index(first), _DAYS.index(last if dash else first)
        days |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    else:
        if days:
            return frozenset(days)
    raise ValueError(f'write days as "mon-fri" or "mon, wed, sat"; found {value!r}')


class Hours(_Section):
    """When tickets are begun."""

    timezone: Timezone
    weekdays: Annotated[frozenset[int], BeforeValidator(_weekdays), Field(alias="days")]
    """0 is Monday."""
    begin: Annotated[time, Field(alias="from")]
    end: Annotated[time, Field(alias="to")]
    outside: Literal["wait", "people"] = "wait"
    """Outside these hours tickets wait for them, untouched; or they are left to people for good."""

    @model_validator(mode="after")
    def _in_order(self) -> Hours:
        if self.begin >= self.end:
            raise ValueError("from is before to, within one day")
        return self

    def __str__(self) -> str:
        days = ", ".join(_DAYS[day] for day in sorted(self.weekdays))
        return f"{days} {self.begin:%H:%M} to {self.end:%H:%M}"


class RolloutSettings(_Section):
    """Which tickets the desk works on. Without this section: all of them."""

    mode: Mode = "live"
    """``shadow``: one internal note says what would have been done; ``off``: tickets are left to people."""
    procedures: dict[str, Mode] = {}
    """Modes of their own, by the name of the procedure that a ticket calls for."""
    percent: Annotated[int, Field(ge=0, le=100)] = 100
    """The share of tickets that is taken, always the same ones; the others are left to people."""
    hours: Hours | None = None
    """When tickets are begun live; None is always."""


class Settings(_Section):
    """``settle.toml``."""

    tenant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    contract: str
    """Path of the contract."""
    runtime: Literal["durable", "inline"] = "durable"
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Tickets that are worked on at a time."""
    autonomy: Autonomy = Autonomy.AGENT
    """How much is done without a person, where a procedure does not say otherwise."""
    close_unanswered_after: Duration = timedelta(days=7)
    """How long a requester has to answer a question before the task is closed."""
    database: str = ""
    """URL of the app database; empty for SQLite in the state folder. ``SETTLE_DATABASE_URL`` overrides it."""
    tools: ToolSettings
    sources: dict[str, SourceSettings]
    knowledge: KnowledgeSettings = KnowledgeSettings()
    helpdesk: HelpdeskSettings = EmbeddedHelpdeskSettings()
    rollout: RolloutSettings = RolloutSettings()
    models: ModelSettings | None = None
    """Who is asked where a step is open; without them such a task goes to a person."""
    process: tuple[ProcessSettings, ...] = ()
    secrets: SecretSettings = SecretSettings()


def load_settings(path: Path) -> Settings:
    """The settings in ``path``; `InvalidDocument` names every field that does not fit."""
    _, settings, problems = read_settings(path)
    if problems or settings is None:
        raise InvalidDocument(problems)
    return settings


def read_settings(path: Path) -> tuple[Source, Settings | None, list[Problem]]:
    """The file's data as far as it can be read, the settings if every field fits, and everything wrong with them."""
    source = Source(str(path), {}, {})
    try:
        text = path.read_bytes().decode("utf-8-sig")
        source = Source(str(path), tomllib.loads(text), _lines(text))
        settings = load_model(source, Settings)
    except OSError as error:
        return source, None, [source.problem((), f"cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        before = error.object.count(b"\n", 0, error.start)
        return source, None, [Problem(file=str(path), line=before + 1, field="", message=NOT_UTF_8)]
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"line (\d+)", str(error))
        line = int(match.group(1)) if match else None
        message = f'not TOML: {error}; write name = "value", and [table] on a line of its own'
        return source, None, [Problem(file=str(path), line=line, field="", message=message)]
    except InvalidDocument as error:
        return source, None, list(error.problems)
    return source, settings, [source.problem(field, message) for field, message in _contradictions(settings)]


def _contradictions(settings: Settings) -> Iterator[tuple[tuple[str | int, ...], str]]:
    processes = [process.name for process in settings.process]
    for field, text in _filled(settings):
        for kind, name in _PLACE.findall(text):
            if kind == "process" and name not in processes:
                known = nearest(name, processes)
                yield field, f"no [[process]] is called {name!r}; add it, or write a URL ({known})"
        if "${" in _PLACE.sub("", text):
            yield field, f"{text!r} has a ${{...}} that is not known; write ${{secret.NAME}} or ${{process.NAME.url}}"
    for number, process in enumerate(settings.process):
        if processes.index(process.name) != number:
            yield ("process", number, "name"), f"{process.name!r} is taken; every process needs a name of its own"
        yield from _unknown_places(("process", number, "command"), process.command)
    for name, server in settings.tools.mcp.items():
        yield from _unknown_places(("tools", "mcp", name, "command"), server.command)


def _unknown_places(
    field: tuple[str | int, ...], command: tuple[str, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for place in (place for part in command for place in _PART.findall(part)):
        if place not in COMMAND_PLACES:
            yield field, f"{{{place}}} is not known; {nearest(place, COMMAND_PLACES)}"


def _filled(settings: Settings) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The settings in which places are filled in."""
    for name, text in settings.tools.settings.items():
        yield ("tools", "settings", name), text
    for group, api in settings.tools.openapi.items():
        yield ("tools", "openapi", group, "url"), api.url
        yield from ((("tools", "openapi", group, "headers", name), text) for name, text in api.headers.items())
    for group, server in settings.tools.mcp.items():
        yield ("tools", "mcp", group, "url"), server.url
        yield from ((("tools", "mcp", group, "headers", name), text) for name, text in server.headers.items())
        yield from ((("tools", "mcp", group, "environment", name), text) for name, text in server.environment.items())
    for name, source in settings.sources.items():
        if isinstance(source, HttpSourceSettings):
            yield ("sources", name, "url"), source.url
            yield ("sources", name, "token"), source.token
    for name, value in settings.helpdesk.model_dump().items():
        inner = value if isinstance(value, dict) else {}
        yield from ((("helpdesk", name, each), str(inner[each])) for each in inner)
        if isinstance(value, str):
            yield ("helpdesk", name), value


def secrets_named(settings: Settings) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every ``${secret.NAME}`` in the settings, with the field that it stands in."""
    for field, text in _filled(settings):
        yield from ((field, name) for kind, name in _PLACE.findall(text) if kind == "secret")


MIN_SECRET = 6
"""Characters: what is shorter may stand in an answer by chance, and is not cut out."""


def secret_values(settings: Settings, secrets: Secrets) -> frozenset[str]:
    """The values of all secrets that the settings name and that are there."""
    found = set()
    for _, name in secrets_named(settings):
        with contextlib.suppress(SettingMissing):
            found.add(secrets.get(name))
    return frozenset(value for value in found if len(value) >= MIN_SECRET)


class Secrets:
    """The secrets of one deployment."""

    def __init__(self, file: Path, generate: tuple[str, ...]) -> None:
        """``file`` keeps those that are made up."""
        self._file = file
        self._generate = generate

    def get(self, name: str) -> str:
        """The secret ``name``; `SettingMissing` if it is neither set nor made up."""
        value = os.environ.get(name)
        if value:
            return value
        if name not in self._generate:
            raise SettingMissing(f"${{secret.{name}}}", f"set the environment variable {name}")
        kept: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}
        if name not in kept:
            kept[name] = secrets.token_urlsafe(24)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._file.with_suffix(f".{os.getpid()}")
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(kept, file)
            temporary.replace(self._file)
        return kept[name]


def fill_in(text: str, *, secrets: Secrets, urls: Mapping[str, str], setting: str) -> str:
    """``text`` with its places filled; `SettingMissing` for a process that is not running."""

    def value(place: re.Match[str]) -> str:
        kind, name = place.groups()
        if kind == "secret":
            return secrets.get(name)
        if name not in urls:
            raise SettingMissing(setting, f"no process is called {name!r}; add a [[process]] of that name")
        return urls[name]

    return _PLACE.sub(value, text)


def _lines(text: str) -> dict[tuple[str | int, ...], int]:
    """Line of every table and key; TOML's parser keeps none."""
    lines: dict[tuple[str | int, ...], int] = {(): 1}
    table: tuple[str | int, ...] = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        array = re.match(r"\s*\[\[([\w.-]+)\]\]", line)
        plain = re.match(r"\s*\[([\w.-]+)\]", line)
        key = re.match(r"\s*([\w-]+)\s*=", line)
        if array:
            index = counts.get(array.group(1), 0)
            counts[array.group(1)] = index + 1
            table = (*array.group(1).split("."), index)
            lines.setdefault(table, number)
        elif plain:
            table = tuple(plain.group(1).split("."))
            lines.setdefault(table, number)
        elif key:
            lines.setdefault((*table, key.group(1)), number)
    return lines
