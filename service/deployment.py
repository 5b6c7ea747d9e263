"""A deployment: the folder that a support team writes, loaded and checked as a whole, and the state beside it.

settle.toml  contracts/  procedures/  replies/NAME.LANG.md  tools/      and its state in .settle/
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agents.canonical import fingerprint
from agents.clock import Clock
from agents.documents import Source, nearest
from agents.errors import InvalidDocument, Problem
from agents.planner import Procedure, Replies, load_procedures
from agents.tools import Toolbox, reply
from billing import Contract, load_contract
from evaluators import HttpJsonSource, SigningKey, SystemOfRecord
from service.errors import NoDeployment, NoState
from service.settings import Secrets, Settings, fill_in, load_settings

SETTINGS = "settle.toml"
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

    @property
    def contract_sha256(self) -> str:
        """Fingerprint of the contract's data, signed or not."""
        return fingerprint(self.contract_source.data)

    def procedure(self, reference: str, plan_sha256: str) -> Procedure | None:
        """The procedure ``name@version`` as it was when a run started, or None if it is gone or was changed."""
        return next(
            (one for one in self.procedures if (one.plan.procedure, one.plan.sha256) == (reference, plan_sha256)), None
        )

    def tool_settings(self, secrets: Secrets, urls: Mapping[str, str]) -> dict[str, str]:
        """What tools are told, with all places filled."""
        return {
            name: fill_in(value, secrets=secrets, urls=urls, setting=f"[tools.settings] {name}")
            for name, value in self.settings.tools.settings.items()
        }

    def sources(self, secrets: Secrets, urls: Mapping[str, str], clock: Clock) -> dict[str, SystemOfRecord]:
        """The evaluators' own read-only sources."""
        made: dict[str, SystemOfRecord] = {}
        for name, source in self.settings.sources.items():
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
        InvalidDocument: something is wrong; all that is wrong in the files of one kind is listed together.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise NoDeployment(f"{folder} has no {SETTINGS}; name a deployment folder with --deployment")
    settings = load_settings(path)
    modules = [folder / module for module in settings.tools.modules]
    toolbox = Toolbox.load(modules, builtin=[reply])
    replies = Replies.load(folder / "replies")
    procedures = load_procedures(folder / "procedures", toolbox, replies)
    source, contract = load_contract(folder / settings.contract)
    problems = [*_unknown_outcomes(folder, procedures, contract), *_unknown_sources(source, contract, settings)]
    if "handed-off" not in replies.names():
        missing = str(folder / "replies" / "handed-off.en.md")
        problems.append(Problem(file=missing, line=None, field="", message="is missing: sent when a person takes over"))
    if problems:
        raise InvalidDocument(problems)
    return Deployment(
        folder=folder,
        settings=settings,
        toolbox=toolbox,
        replies=replies,
        procedures=procedures,
        contract_source=source,
        contract=contract,
    )


def _unknown_outcomes(folder: Path, procedures: tuple[Procedure, ...], contract: Contract) -> list[Problem]:
    return [
        Problem(
            file=str(folder / "procedures" / f"{procedure.name}.yaml"),
            line=None,
            field="outcome",
            message=f"the contract has no outcome {name!r}; {nearest(name, contract.outcomes)}",
        )
        for procedure in procedures
        for name in sorted(procedure.outcomes - contract.outcomes.keys())
    ]


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

    def key(self, signer: str) -> SigningKey:
        """The signing key of that name, made on first use."""
        return SigningKey.load_or_create(self.folder / "keys" / f"{signer}.key", signer)

    def secrets(self, settings: Settings) -> Secrets:
        """The deployment's secrets."""
        return Secrets(self.folder / "secrets.json", settings.secrets.generate)


def make_state(folder: Path, deployment: Path, *, demo: bool = False) -> State:
    """Make ``folder`` the state of ``deployment``; an existing one is returned as it is."""
    folder = folder.absolute()
    mark = folder / MARK
    if mark.is_file():
        return open_state(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    temporary = folder / f"{MARK}.new"
    temporary.write_text(json.dumps({"deployment": str(deployment.resolve()), "demo": demo}) + "\n")
    temporary.replace(mark)
    return State(folder=folder, deployment=deployment.resolve(), demo=demo)


def open_state(folder: Path) -> State:
    """The state in ``folder``; `NoState` if it is not one of Settle's."""
    folder = folder.absolute()  # the deployment's processes run in another folder, and are told this one
    try:
        data = json.loads((folder / MARK).read_text())
        return State(folder=folder, deployment=Path(data["deployment"]), demo=bool(data["demo"]))
    except FileNotFoundError:
        raise NoState(f"{folder} holds no state; run `settle demo`, or `settle run FILE` on a deployment") from None
    except (ValueError, KeyError, OSError) as error:
        raise NoState(f"{folder / MARK} cannot be read: {error}") from None


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
