"""Where Settle's own files are, and whose packages ``agents``, ``billing``, ``evaluators`` and ``service`` are."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

OURS = ("agents", "billing", "evaluators", "service")
DISTRIBUTION = "settle-agents"
OWN_ENVIRONMENT = (
    "Settle needs a virtual environment of its own: "
    "python -m venv .venv && .venv/bin/pip install settle-agents && .venv/bin/settle doctor"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """One of our names that another distribution owns, or shadows."""

    package: str
    file: str
    """What an import of the name reads."""
    distributions: tuple[str, ...]
    """Who installed it, as far as their records say."""

    def __str__(self) -> str:
        owner = f", installed by {', '.join(self.distributions)}" if self.distributions else ""
        return f"the package {self.package!r} is not Settle's: {self.file}{owner}"


def example(name: str) -> Path:
    """The folder of the example ``name``: inside the installed package, or at the root of a clone."""
    packaged = Path(__file__).parent / "examples" / name
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "examples" / name


def foreign_packages() -> tuple[Foreign, ...]:
    """The names of ours that somebody else owns here; empty when all is well."""
    home = Path(__file__).resolve().parents[1]
    owners = packages_distributions()
    found = []
    for package in OURS:
        others = tuple(sorted({name for name in owners.get(package, ()) if name.lower() != DISTRIBUTION}))
        file = _file(package)
        if others or file is None or not file.is_relative_to(home):
            found.append(Foreign(package=package, file=str(file or "nothing"), distributions=others))
    return tuple(found)


def _file(package: str) -> Path | None:
    """The file that an import of ``package`` begins with; it is not run."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return Path(places[0]).resolve() if places else None
