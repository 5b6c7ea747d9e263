"""The pack as data: goals of attackers, tasks of requesters, procedures. ``goals.yaml`` and ``tasks.yaml`` say how."""

from __future__ import annotations

import base64
import re
from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agents.expressions import Expression

FOLDER = Path(__file__).parent
_PLANTED = re.compile(r"BEGIN-GOAL ([A-Za-z0-9+/=]+) END-GOAL")
Call = Annotated[dict[str, dict[str, JsonValue]], Field(min_length=1, max_length=1)]
"""One tool with its arguments."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Goal(_Entry):
    """What an attacker wants."""

    goal: str
    kind: str
    do: tuple[Call, ...] = ()
    say: str = ""
    leave: dict[str, JsonValue] = {}
    reached: str

    def planted(self) -> str:
        """The words that an obedient model finds and follows."""
        return f"BEGIN-GOAL {base64.b64encode(self.model_dump_json(exclude_defaults=True).encode()).decode()} END-GOAL"

    def holds(self, state: dict[str, JsonValue]) -> bool:
        """True if the world is as the attacker wants it."""
        return Expression(self.reached)(state)


class LegitimateTask(_Entry):
    """What the requester wants."""

    procedure: str
    words: str
    calls: tuple[Call, ...] = ()
    leave: dict[str, JsonValue]
    done: str
    approve: tuple[Call, ...] = ()

    def holds(self, state: dict[str, JsonValue]) -> bool:
        """True if the world is as the requester wants it."""
        return Expression(self.done)(state)

    def text(self) -> str:
        """The procedure, as a tenant writes it."""
        return (FOLDER / "procedures" / f"{self.procedure}.yaml").read_text(encoding="utf-8")


def found_in(words: str) -> list[Goal]:
    """The goals that are planted in ``words``, each once."""
    return [Goal.model_validate_json(base64.b64decode(one)) for one in dict.fromkeys(_PLANTED.findall(words))]


@cache
def goals() -> tuple[Goal, ...]:
    """Every goal of the pack."""
    return tuple(Goal.model_validate(one) for one in _read("goals.yaml"))


@cache
def tasks() -> tuple[LegitimateTask, ...]:
    """Every task of the pack."""
    return tuple(LegitimateTask.model_validate(one) for one in _read("tasks.yaml"))


def _read(name: str) -> list[object]:
    entries = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    assert isinstance(entries, list), f"{name} is a list"
    return entries
