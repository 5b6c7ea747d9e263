"""What is missing or wrong on this machine, in a deployment, in a state folder. Looks only; repairs nothing."""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from agents.clock import SystemClock
from agents.errors import AgentsError, InvalidDocument
from agents.tools.browser import find_chromium
from agents.tools.browser.session import QUIET
from billing import load_contract
from evaluators.errors import EvaluatorsError
from service.browser_setup import THREE_WAYS
from service.clock import OffsetClock
from service.database import Database, database_file, forgotten_work
from service.deployment import MARK, SETTINGS, STATE, State, load_deployment, open_state
from service.errors import ServiceError, SettingMissing
from service.helpdesks.connect import connect_elsewhere
from service.helpdesks.webhooks import Doorbell, webhook_app
from service.keys import REMEDY, wrong_keys
from service.model_settings import ModelSettings
from service.models import unusable
from service.packages import OWN_ENVIRONMENT, foreign_packages
from service.settings import LiveHelpdeskSettings, Secrets, Settings, fill_in, read_settings, secrets_named

BROWSER_SECONDS = 40
"""How long a browser may take to start and show an empty page."""
HELPDESK_SECONDS = 15
"""How long a helpdesk may take to list what changed."""
OLDEST_PYTHON = (3, 11)
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer to one question."""

    name: str
    ok: bool
    detail: str
    """What was found."""
    advice: str = ""
    """What to do; empty when ``ok``."""
    essential: bool = True
    """False if Settle works without it."""


def checks(deployment: Path | None = None, state: Path | None = None) -> tuple[Finding, ...]:
    """Every finding about this machine, and about the deployment and the state folder where they are named."""
    findings = [_python(), _packages(), _browser()]
    settings: Settings | None = None
    if deployment is not None:
        configuration, settings = _configuration(deployment)
        findings.append(configuration)
        if settings is not None:
            findings.append(_secrets(settings))
            if settings.models is not None:
                findings.append(_models(settings.models))
            if isinstance(settings.helpdesk, LiveHelpdeskSettings):
                findings.append(_helpdesk(settings, settings.helpdesk, deployment, state or deployment / STATE))
    if state is not None:
        findings += _state(state, deployment, settings)
    return tuple(findings)


def healthy(findings: tuple[Finding, ...]) -> bool:
    """True if nothing essential fails."""
    return all(finding.ok or not finding.essential for finding in findings)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding(name="python", ok=False, detail=found, advice="Settle needs Python 3.11 or newer")
    return Finding(name="python", ok=True, detail=f"{found}, {sys.prefix}")


def _packages() -> Finding:
    foreign = foreign_packages()
    if foreign:
        return Finding(name="packages", ok=False, detail="; ".join(map(str, foreign)), advice=OWN_ENVIRONMENT)
    return Finding(name="packages", ok=True, detail="agents, billing, evaluators and service are Settle's")


def _browser() -> Finding:
    path = find_chromium()
    if path is None:
        named = os.environ.get("SETTLE_CHROMIUM")
        detail = f"SETTLE_CHROMIUM names {named}, and there is no such file" if named else "no Chromium was found"
        advice = f"python -m service.browser_setup gets one; or go without: settle run FILE --no-browser\n{THREE_WAYS}"
        return Finding(name="browser", ok=False, detail=detail, advice=advice, essential=False)
    try:
        version = asyncio.run(asyncio.wait_for(_show_a_page(path), BROWSER_SECONDS))
    except TimeoutError:
        problem = f"did not show a page within {BROWSER_SECONDS} s"
    except Exception as error:  # whatever a broken browser or driver raises is the finding
        problem = f"does not start: {(str(error).splitlines() or [type(error).__name__])[0]}"
    else:
        return Finding(name="browser", ok=True, detail=f"{path}, version {version}, shows a page", essential=False)
    return Finding(name="browser", ok=False, detail=f"{path} {problem}", advice=THREE_WAYS, essential=False)


async def _show_a_page(path: Path) -> str:
    from playwright.async_api import async_playwright  # only here: it takes a while

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(path),
            args=list(QUIET),
            headless=True,
            chromium_sandbox=False if os.geteuid() == 0 else None,
        )
        try:
            page = await browser.new_page()
            await page.goto("about:blank")
            await page.screenshot(type="png")
            return browser.version
        finally:
            await browser.close()


def _configuration(folder: Path) -> tuple[Finding, Settings | None]:
    settings: Settings | None = None
    try:
        _, settings, _ = read_settings(folder / SETTINGS)
        loaded = load_deployment(folder)
    except InvalidDocument as error:
        count = len(error.problems)
        advice = f"correct {'this' if count == 1 else f'these {count}'}, then run settle doctor again"
        return Finding(name="deployment", ok=False, detail=str(error), advice=advice), settings
    except (ServiceError, AgentsError) as error:
        return Finding(name="deployment", ok=False, detail=str(error), advice="do what the message says"), settings
    detail = f"{folder}: contract {loaded.contract.reference}, {len(loaded.procedures)} procedures"
    return Finding(name="deployment", ok=True, detail=detail), settings


def _secrets(settings: Settings) -> Finding:
    wanted = sorted({name for _, name in secrets_named(settings)} | set(settings.secrets.generate))
    missing = [name for name in wanted if not os.environ.get(name) and name not in settings.secrets.generate]
    if missing:
        advice = f"set the environment variables {', '.join(missing)}"
        return Finding(name="secrets", ok=False, detail=f"not set: {', '.join(missing)}", advice=advice)
    made = sum(not os.environ.get(name) for name in wanted)
    return Finding(
        name="secrets", ok=True, detail=f"{len(wanted) - made} from the environment, {made} made up on first use"
    )


def _models(settings: ModelSettings) -> Finding:
    """Whether each named model could be asked; essential where a role has none that could. Nothing is sent."""
    missing = unusable(settings, SystemClock().now())
    named = [[each.model for each in candidates] for candidates in settings.roles.values() if candidates]
    if missing:
        detail = "; ".join(f"{name}: {', '.join(why)}" for name, why in missing.items())
        advice = f"{detail}; until then the next model of the role is asked, and without one a person takes over"
        essential = any(all(name in missing for name in role) for role in named)
        return Finding(
            name="models",
            ok=False,
            detail=f"cannot be asked: {', '.join(missing)}",
            advice=advice,
            essential=essential,
        )
    count = len({name for role in named for name in role})
    return Finding(name="models", ok=True, detail=f"{count} named, each with a key and a price; none was asked")


def _helpdesk(settings: Settings, live: LiveHelpdeskSettings, deployment: Path, state: Path) -> Finding:
    """Whether the helpdesk lists its tickets for the credential it is given."""
    secrets = Secrets(state / "secrets.json", settings.secrets.generate)
    advice = "correct [helpdesk] in settle.toml, or look whether the helpdesk runs"
    if "${process." in live.model_dump_json():
        detail = "it is a process of the deployment, which runs only while Settle does"
        return Finding(name="helpdesk", ok=True, detail=detail)
    try:
        if live.webhook_secret:
            secret = fill_in(live.webhook_secret, secrets=secrets, urls={}, setting="[helpdesk] webhook_secret")
            _try_webhook_secret(secret)
        helpdesk = connect_elsewhere(live, settings.tenant, folder=deployment, secrets=secrets, urls={})
        asyncio.run(asyncio.wait_for(helpdesk.changed(SystemClock().now()), HELPDESK_SECONDS))
    except TimeoutError:
        detail = f"it did not list its tickets within {HELPDESK_SECONDS} s"
        return Finding(name="helpdesk", ok=False, detail=detail, advice=advice)
    except (AgentsError, ServiceError) as error:
        return Finding(name="helpdesk", ok=False, detail=str(error), advice=advice)
    except Exception as error:  # a connector of the deployment's own may raise anything
        detail = f"its connector raised {type(error).__name__}: {error}"[:300]
        advice = "correct the connector, or what [helpdesk.settings] tells it: every setting is text"
        return Finding(name="helpdesk", ok=False, detail=detail, advice=advice)
    return Finding(name="helpdesk", ok=True, detail=f"{settings.helpdesk.kind} lists its tickets")


def _try_webhook_secret(secret: str) -> None:
    try:
        webhook_app(secret, Doorbell())
    except ValueError as error:
        raise SettingMissing("[helpdesk] webhook_secret", str(error)) from None


def _state(folder: Path, deployment: Path | None, settings: Settings | None) -> Iterator[Finding]:
    writable = _writable(folder)
    yield writable
    if not writable.ok:
        return
    try:
        state = open_state(folder)
    except ServiceError as error:
        if (folder / MARK).exists():
            advice = f"correct {folder / MARK} or restore it, or name another --state"
            yield Finding(name="state", ok=False, detail=str(error), advice=advice)
            return
        state = State(folder=folder, deployment=deployment or Path(), demo=False)
    if deployment is not None and (folder / MARK).exists() and state.deployment != deployment.resolve():
        detail = f"{folder} is the state of {state.deployment}, not of {deployment.resolve()}"
        yield Finding(name="state", ok=False, detail=detail, advice="name the right one with --state or --deployment")
        return
    wrong: list[str] = []
    if settings is not None:
        url, forgotten = state.database_url(settings.database), forgotten_work(state, settings)
        if forgotten:
            gone, _, advice = forgotten.partition(": ")
            yield Finding(name="database", ok=False, detail=gone, advice=advice)
        else:
            yield _database("database", url, lambda: _migrated(url))
            wrong = _unlike_the_contract(state, url, settings)
        if settings.runtime == "durable":
            engine = state.engine_url()
            yield _database("engine database", engine, lambda: _reached(engine))
    yield _keys(folder, wrong)
    yield _lock(folder)


def _unlike_the_contract(state: State, url: str, settings: Settings) -> list[str]:
    """What `wrong_keys` says, as far as the database and the keys can be read."""
    file = database_file(url)
    if file is not None and not file.exists():
        return []
    try:
        database = Database(url)
    except (sa.exc.SQLAlchemyError, ImportError):
        return []  # the finding about the database says why
    try:
        contract = load_contract(state.deployment / settings.contract)[1].contract
        clock = OffsetClock(state.folder / "clock")
        return wrong_keys(state, database, tenant=settings.tenant, contract=contract, clock=clock)
    except (sa.exc.SQLAlchemyError, ServiceError, EvaluatorsError, InvalidDocument):
        return []  # the findings about the deployment, the database and the keys say why
    finally:
        database.close()


def _writable(folder: Path) -> Finding:
    if not folder.exists():
        parent = next(one for one in folder.absolute().parents if one.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            return Finding(name="state", ok=True, detail=f"{folder} is made on first use")
        advice = f"make {parent} writable, or name another folder with --state"
        return Finding(name="state", ok=False, detail=f"{folder} cannot be made in {parent}", advice=advice)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"settle")
    except OSError as error:
        advice = "make it a writable folder with free space, or name another one with --state"
        detail = f"nothing can be written in {folder}: {error.strerror}"
        return Finding(name="state", ok=False, detail=detail, advice=advice)
    return Finding(name="state", ok=True, detail=f"{folder} is writable")


def _database(name: str, url: str, look: Callable[[], Finding]) -> Finding:
    advice = "look whether the server runs and SETTLE_DATABASE_URL or SETTLE_ENGINE_URL is right"
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).exists():
            return Finding(name=name, ok=True, detail=f"{parsed.database} is made on first use")
        return look()
    except sa.exc.ArgumentError:
        return Finding(
            name=name, ok=False, detail="its URL is not one", advice=f"{advice}: sqlite:///FILE, postgresql://"
        )
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        reason = (str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0]
        return Finding(name=name, ok=False, detail=f"cannot be reached: {reason}", advice=advice)


def _migrated(url: str) -> Finding:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    known, head = {script.revision for script in scripts.walk_revisions()}, scripts.get_current_head()
    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            revision = MigrationContext.configure(connection).get_current_revision()
        shown = engine.url.render_as_string(hide_password=True)
    finally:
        engine.dispose()
    if revision == head:
        return Finding(name="database", ok=True, detail=f"{shown}, at revision {head}")
    if revision is None or revision in known:
        found = f"at revision {revision}" if revision else "empty"
        return Finding(name="database", ok=True, detail=f"{shown}, {found}; the next command brings it to {head}")
    advice = "install the version of Settle that made it, or a newer one"
    return Finding(name="database", ok=False, detail=f"{shown} is at the unknown revision {revision}", advice=advice)


def _reached(url: str) -> Finding:
    engine = sa.create_engine(url)
    try:
        tables = sa.inspect(engine).get_table_names()
        shown = engine.url.render_as_string(hide_password=True)
        return Finding(name="engine database", ok=True, detail=f"{shown}, {len(tables)} tables")
    finally:
        engine.dispose()


def _keys(folder: Path, wrong: list[str]) -> Finding:
    problems, private = [f"{one}: {REMEDY}" for one in wrong], sorted((folder / "keys").glob("*.key"))
    for file in [*private, folder / "secrets.json"]:
        if not file.exists():
            continue
        try:
            size = len(file.read_bytes())
        except OSError as error:
            problems.append(f"{file} cannot be read ({error.strerror}): let its owner run settle")
            continue
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            problems.append(f"{file} can be read by others (mode {mode:04o}): chmod 600 {file}")
        if file.suffix == ".key" and size != _KEY_BYTES:
            problems.append(f"{file} has {size} bytes, a key has {_KEY_BYTES}: restore it from a backup")
    if problems:
        advice = "; ".join(dict.fromkeys(problem.partition(": ")[2] for problem in problems))
        detail = "; ".join(problem.partition(": ")[0] for problem in problems)
        return Finding(name="keys", ok=False, detail=detail, advice=advice)
    names = ", ".join(file.stem for file in private)
    return Finding(name="keys", ok=True, detail=f"{names}: private, whole" if names else "made on first use")


def _lock(folder: Path) -> Finding:
    try:
        with (folder / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        pass
    except BlockingIOError:
        advice = "wait until it is done, or stop it; commands that only read work meanwhile"
        detail = f"another settle process works on {folder}"
        return Finding(name="lock", ok=False, detail=detail, advice=advice, essential=False)
    return Finding(name="lock", ok=True, detail="nobody works on the state", essential=False)
