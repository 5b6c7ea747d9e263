"""A deployment: the folder that a support team writes, loaded and checked as a whole, and the state beside it.

settle.toml  contracts/  procedures/  replies/NAME.LANG.md  tools/  knowledge/      and its state in .settle/
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.canonical import fingerprint
from agents.clock import Clock
from agents.documents import Source, nearest, read_document
from agents.errors import InvalidDocument, Problem
from agents.knowledge import Article, article_files, read_articles
from agents.planner import Procedure, Replies, read_procedures
from agents.planner.plan import OpenStep, Plan
from agents.policy.grant import Autonomy
from agents.tools import Toolbox, knowledge, reply, web, widen
from billing import Contract
from billing.contract import read_contract
from evaluators import EvidenceClass, HttpJsonSource, KnowledgeSource, SigningKey, SystemOfRecord
from service.declared_tools import api_settings, declared_names, read_declared
from service.errors import NoDeployment, NoState
from service.settings import KnowledgeSourceSettings, Secrets, Settings, fill_in, read_settings
from service.signed_lines import unsigned_lines

SETTINGS = "settle.toml"
PROCEDURES = "procedures"
KNOWLEDGE = "knowledge"
STATE = ".settle"
MARK = "state.json"
"""The file that makes a folder one of Settle's state folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A loaded deployment folder; everything in it is sound."""

    folder: Path
    settings: Settings
    toolbox: Toolbox
    replies: Replies
    procedures: tuple[Procedure, ...]
    contract_source: Source
    contract: Contract
    articles: tuple[Article, ...] = ()
    """What may be quoted to requesters; empty where there is no ``knowledge/`` folder."""

    @property
    def contract_sha256(self) -> str:
        """Fingerprint of the contract's data, signed or not."""
        return fingerprint(self.contract_source.data)

    def procedure(self, reference: str, plan_sha256: str) -> Procedure | None:
        """The procedure ``name@version`` as it was when a run started, or None if it is gone or was changed."""
        return next(
            (one for one in self.procedures if (one.plan.procedure, one.plan.sha256) == (reference, plan_sha256)), None
        )

    def procedure_named(self, name: str) -> Procedure | None:
        """The procedure of that name as it is now."""
        return next((one for one in self.procedures if one.name == name), None)

    def autonomy(self, plan: Plan) -> Autonomy:
        """How much a run of ``plan`` does without a person."""
        return plan.autonomy or self.settings.autonomy

    def wishes(self) -> dict[str, tuple[str, ...]]:
        """By name of a procedure whose outcome is an effect, the words by which requesters ask for it, lower case."""
        terms = {one.name: self.contract.outcomes.get(one.plan.outcome) for one in self.procedures}
        return {
            name: tuple(phrase.casefold() for phrase in found.asked)
            for name, found in terms.items()
            if found is not None and found.evidence_class is EvidenceClass.EFFECT_VERIFIED
        }

    def tool_settings(self, secrets: Secrets, urls: Mapping[str, str]) -> dict[str, str]:
        """What tools are told, with all places filled."""
        return {
            name: fill_in(value, secrets=secrets, urls=urls, setting=f"[tools.settings] {name}")
            for name, value in self.settings.tools.settings.items()
        } | api_settings(self.settings.tools, secrets, urls)

    def sources(self, secrets: Secrets, urls: Mapping[str, str], clock: Clock) -> dict[str, SystemOfRecord]:
        """The evaluators' own read-only sources."""
        made: dict[str, SystemOfRecord] = {}
        for name, source in self.settings.sources.items():
            if isinstance(source, KnowledgeSourceSettings):
                folder, groups = self.folder / source.folder, self.settings.knowledge.audiences
                made[name] = KnowledgeSource(name=name, folder=folder, groups=groups, clock=clock)
                continue
            where = f"[sources.{name}]"
            made[name] = HttpJsonSource(
                name=name,
                base_url=fill_in(source.url, secrets=secrets, urls=urls, setting=f"{where} url"),
                token=fill_in(source.token, secrets=secrets, urls=urls, setting=f"{where} token"),
                paths=source.paths,
                clock=clock,
                age_from=source.age_from,
            )
        return made


def load_deployment(folder: Path) -> Deployment:
    """Load and check everything in ``folder``.

    Raises:
        NoDeployment: there is no settle.toml.
        InvalidDocument: something is wrong; all that is wrong in any of the files is listed together.
    """
    deployment, problems = read_deployment(folder)
    if deployment is None:
        raise InvalidDocument(problems)
    return deployment


def read_deployment(folder: Path) -> tuple[Deployment | None, list[Problem]]:
    """The deployment in ``folder`` if it is sound, else everything that is wrong with it, each thing once.

    What cannot be read in one file does not keep the others from being checked as far as that is possible.

    Raises:
        NoDeployment: there is no settle.toml.
    """
    if not (folder / SETTINGS).is_file():
        raise NoDeployment(f"{folder} has no {SETTINGS}; name a deployment folder with --deployment")
    source, settings, problems = read_settings(folder / SETTINGS)
    modules, unread = _modules(folder, source, problems)
    builtin = [reply, widen, *([knowledge.search, knowledge.answer] if article_files(folder / KNOWLEDGE) else [])]
    builtin += [web.get] if settings is not None and settings.tools.http.hosts else []
    if settings is None:
        unread += declared_names(source)
    else:
        made, undone, more = read_declared(folder, source, settings.tools)
        builtin += made
        unread += undone
        problems += more
    toolbox, more = Toolbox.read(modules, builtin=builtin, unread=unread)
    problems += more
    audiences = None if settings is None else settings.knowledge.audiences
    articles, more = read_articles(folder / KNOWLEDGE, audiences=audiences)
    problems += more
    replies, more = Replies.read(folder / "replies")
    problems += more
    contract_source, contract = _contract(folder, source, problems)
    kinds = None if contract_source is None else _kinds(contract_source)
    procedures, more = read_procedures(folder / PROCEDURES, toolbox, replies, kinds)
    problems += more
    problems += _missing(folder, replies)
    problems += _unknown_procedures(folder, source, procedures)
    problems += _unknown_agents(folder, procedures, settings)
    if contract_source is not None and contract is not None and settings is not None:
        problems += _unknown_sources(contract_source, contract, settings)
        problems += unsigned_lines(folder, procedures, replies, contract)
    if problems or settings is None or contract_source is None or contract is None:
        return None, problems
    deployment = Deployment(
        folder=folder,
        settings=settings,
        toolbox=toolbox,
        replies=replies,
        procedures=procedures,
        contract_source=contract_source,
        contract=contract,
        articles=articles,
    )
    return deployment, problems


def _modules(folder: Path, settings: Source, problems: list[Problem]) -> tuple[list[Path], list[str]]:
    """The files of tools that the settings name and that exist, and the names of those that are probably meant too.

    ``problems`` gets those that the settings name and that do not exist.
    """
    tools = settings.data.get("tools")
    named = tools.get("modules") if isinstance(tools, dict) else None
    modules = [module for module in named if isinstance(module, str)] if isinstance(named, list) else []
    there = {path.relative_to(folder).as_posix(): path for path in folder.glob("tools/*.py")}
    missing = {number: module for number, module in enumerate(modules) if not (folder / module).is_file()}
    for number, module in missing.items():
        message = f"there is no file {module}; {nearest(module, there)}"
        problems.append(settings.problem(("tools", "modules", number), message))
    sound = isinstance(named, list) and not missing
    unread = [] if sound else [path.stem for name, path in there.items() if name not in modules]
    return [folder / module for module in modules if module not in missing.values()], unread


def _contract(folder: Path, settings: Source, problems: list[Problem]) -> tuple[Source | None, Contract | None]:
    """The contract that the settings name, as data and typed, as far as it is sound; ``problems`` gets the rest."""
    name = settings.data.get("contract")
    if not isinstance(name, str):
        return None, None
    if not (folder / name).is_file():
        there = [path.relative_to(folder).as_posix() for path in folder.glob("contracts/*.yaml")]
        problems.append(settings.problem(("contract",), f"there is no file {name}; {nearest(name, there)}"))
        return None, None
    source: Source | None = None
    try:
        source = read_document(folder / name)
        return source, read_contract(source)
    except InvalidDocument as error:
        problems += error.problems
        return source, None


def _kinds(contract: Source) -> dict[str, str] | None:
    """Outcome type to kind of subject, also in a contract that is not sound; None if it does not say."""
    outcomes = contract.data.get("outcomes") if isinstance(contract.data, dict) else None
    if not isinstance(outcomes, dict):
        return None
    subjects = {name: terms.get("subject") if isinstance(terms, dict) else None for name, terms in outcomes.items()}
    return {name: subject if isinstance(subject, str) else "" for name, subject in subjects.items()}


def _missing(folder: Path, replies: Replies) -> Iterator[Problem]:
    for name, what in (("procedures", "one YAML file for each kind of request"), ("replies", "NAME.LANGUAGE.md files")):
        if not (folder / name).is_dir():
            yield Problem(
                file=str(folder / name), line=None, field="", message=f"there is no such folder; it is for {what}"
            )
    if "handed-off" not in replies.names():
        missing = str(folder / "replies" / "handed-off.en.md")
        message = "is missing; write it: it is sent when a person takes over"
        yield Problem(file=missing, line=None, field="", message=message)


def _unknown_procedures(folder: Path, source: Source, procedures: Sequence[Procedure]) -> list[Problem]:
    """Settings for procedures that there are not, also in settings that are not sound; an unsound procedure is one."""
    names = {procedure.name for procedure in procedures} | {path.stem for path in folder.glob("procedures/*.yaml")}
    problems = []
    for section in ("rollout", "models"):
        table = source.data.get(section)
        named = table.get("procedures") if isinstance(table, dict) else None
        problems += [
            source.problem((section, "procedures", name), f"there is no procedure {name!r}; {nearest(name, names)}")
            for name in (named if isinstance(named, dict) else ())
            if name not in names
        ]
    return problems


def _unknown_agents(folder: Path, procedures: Sequence[Procedure], settings: Settings | None) -> Iterator[Problem]:
    """Open steps for agents that settle.toml does not name."""
    known = settings.models.agents if settings is not None and settings.models is not None else {}
    for procedure in procedures:
        for step in procedure.plan.steps:
            if isinstance(step, OpenStep) and step.agent and step.agent not in known:
                message = f"settle.toml has no [models.agents.{step.agent}]; {nearest(step.agent, known)}"
                file = str(folder / PROCEDURES / f"{procedure.name}.yaml")
                yield Problem(file=file, line=None, field=f"steps.{step.id}.agent", message=message)


def _unknown_sources(source: Source, contract: Contract, settings: Settings) -> list[Problem]:
    problems = []
    for name, terms in contract.outcomes.items():
        place = ("outcomes", name, "proof", "read")
        known = settings.sources.get(terms.proof.source)
        if known is None:
            hint = nearest(terms.proof.source, settings.sources)
            problems.append(source.problem(place, f"settle.toml has no [sources.{terms.proof.source}]; {hint}"))
        elif terms.proof.kind not in known.paths:
            hint = nearest(terms.proof.kind, known.paths)
            problems.append(source.problem(place, f"{terms.proof.source} has no path for {terms.proof.kind!r}; {hint}"))
    return problems


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state folder of a deployment."""

    folder: Path
    deployment: Path
    demo: bool
    """Made by `settle demo`, which may throw it away."""

    @property
    def evidence(self) -> Path:
        """Where evidence is kept."""
        return self.folder / "evidence"

    @property
    def invoices(self) -> Path:
        """Where bundles are written."""
        return self.folder / "invoices"

    def database_url(self, configured: str) -> str:
        """The app database: the environment, else the settings, else a file here."""
        return os.environ.get("SETTLE_DATABASE_URL") or configured or f"sqlite:///{self.folder / 'app.db'}"

    def engine_url(self) -> str:
        """The durable runtime's own database."""
        return os.environ.get("SETTLE_ENGINE_URL") or f"sqlite:///{self.folder / 'engine.db'}"

    def key_file(self, signer: str) -> Path:
        """Where the signing key of that name is kept."""
        return self.folder / "keys" / f"{signer}.key"

    def key(self, signer: str) -> SigningKey:
        """The signing key of that name, made on first use; `UnusableKey` if its file holds none."""
        return SigningKey.load_or_create(self.key_file(signer), signer)

    def secrets(self, settings: Settings) -> Secrets:
        """The deployment's secrets."""
        return Secrets(self.folder / "secrets.json", settings.secrets.generate)


def make_state(folder: Path, deployment: Path, *, demo: bool = False) -> State:
    """Make ``folder`` the state of ``deployment``; an existing one is returned as it is.

    Raises:
        NoState: as for `open_state`.
    """
    folder, deployment = folder.absolute(), deployment.resolve()
    mark = folder / MARK
    if mark.is_file():
        return open_state(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds customers' words
    (folder / ".gitignore").write_text("*\n")
    inside = folder.resolve().is_relative_to(deployment)  # then both are moved together
    place = os.path.relpath(deployment, folder.resolve()) if inside else str(deployment)
    temporary = folder / f"{MARK}.new"
    temporary.write_text(json.dumps({"deployment": place, "demo": demo}) + "\n")
    temporary.replace(mark)
    return State(folder=folder, deployment=deployment, demo=demo)


def open_state(folder: Path, *, orphaned: bool = False) -> State:
    """The state in ``folder``.

    Args:
        orphaned: take it although its deployment is not where it says.

    Raises:
        NoState: it is not one of Settle's, or its deployment is not where it says.
    """
    folder = folder.absolute()  # the deployment's processes run in another folder, and are told this one
    mark = folder / MARK
    try:
        data = json.loads(mark.read_text())
        deployment = (folder.resolve() / data["deployment"]).resolve()
        state = State(folder=folder, deployment=deployment, demo=bool(data["demo"]))
    except FileNotFoundError:
        raise NoState(f"{folder} holds no state; run `settle demo`, or `settle run FILE` on a deployment") from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise NoState(f"{mark} cannot be read: {error}") from None
    if not orphaned and not (deployment / SETTINGS).is_file():
        raise NoState(
            f"{mark} says that the deployment is {deployment}, where there is no {SETTINGS}; move it back there, or "
            f'write its folder under "deployment" in {mark}'
        )
    return state


def find_deployment(named: Path | None, folder: Path) -> tuple[Path, Path]:
    """(deployment, state folder) for a command run in ``folder``: named, else here, else what the state here says.

    Raises:
        NoDeployment: nothing is named, and there is neither a settle.toml nor a state here.
    """
    if named is not None:
        return named, named / STATE
    if (folder / SETTINGS).is_file():
        return folder, folder / STATE
    if (folder / STATE / MARK).is_file():
        return open_state(folder / STATE).deployment, folder / STATE
    raise NoDeployment(f"there is no {SETTINGS} in {folder}; name a deployment folder with --deployment")
