"""Names that proofs, tools and settings use and that nothing declares, as far as that can be known.

What a proof reads of its task, claim and receipt is known, and so is an article. The records of an HTTP source have no
model here: a field of theirs is doubted only if it is all but the name of another one.
"""

from __future__ import annotations

import ast
import difflib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from agents.documents import nearest
from agents.errors import Problem
from agents.expressions import Expression
from agents.planner.plan import ToolStep
from agents.receipt import Effect
from agents.tools.tool import Tool
from evaluators import OutcomeTerms
from evaluators.proof import FIELDS
from evaluators.sources.knowledge import FIELDS as ARTICLE_FIELDS
from service.deployment import SETTINGS, Deployment
from service.settings import KnowledgeSourceSettings, read_settings, secrets_named

ALIKE = 0.8
"""How alike two names are, of 1, for one to be taken for a slip of the other."""
ALIKE_SECRETS = 0.9
"""The same for secrets, whose long names often differ in one word and are meant to."""
_RECORDS = ("before", "after")


def unknown_names(deployment: Deployment) -> Iterator[Problem]:
    """A warning for each."""
    yield from _in_proofs(deployment)
    yield from _in_tools(deployment)
    yield from _secrets(deployment)


def _in_proofs(deployment: Deployment) -> Iterator[Problem]:
    source, outcomes = deployment.contract_source, deployment.contract.outcomes
    used: Counter[tuple[str, str]] = Counter()
    for terms in outcomes.values():
        read = {path[1] for _, one in _expressions(terms) for path in one.paths if _reads_a_record(path)}
        used.update((terms.proof.read, field) for field in read)
    modelled = {name for tool in deployment.toolbox for name in _all_fields(tool.output_model)}
    for name, terms in outcomes.items():
        articles = isinstance(deployment.settings.sources[terms.proof.source], KnowledgeSourceSettings)
        others = modelled | {field for (read, field), count in used.items() if read == terms.proof.read and count > 1}
        tools = _effects(deployment, name)
        for part, expression in _expressions(terms):
            for path in sorted(expression.paths):
                if not _reads_a_record(path):
                    message = _beside_records(path, tools)
                elif articles:
                    message = "" if path[1] in ARTICLE_FIELDS else _none_such(path, path[1], ARTICLE_FIELDS)
                else:
                    message = _slip(path, others)
                if message:
                    yield source.problem(("outcomes", name, "proof", part), message)


def _expressions(terms: OutcomeTerms) -> list[tuple[str, Expression]]:
    proof = terms.proof
    parts = {"belongs_to": proof.belongs_to, "became": proof.became, "by": proof.by, "holds": proof.holds}
    return [(name, one) for name, one in parts.items() if one is not None]


def _reads_a_record(path: tuple[str, ...]) -> bool:
    return path[0] in _RECORDS and len(path) > 1


def _effects(deployment: Deployment, outcome: str) -> list[Tool]:
    """The tools that may make the change which the outcome is about."""
    steps = [step for one in deployment.procedures if outcome in one.outcomes for step in one.plan.steps]
    named = [deployment.toolbox.get(step.tool) for step in steps if isinstance(step, ToolStep)]
    return [tool for tool in named if tool is not None and tool.effect is not Effect.READ]


def _beside_records(path: tuple[str, ...], tools: list[Tool]) -> str:
    """What is wrong with what is read of the task, the claim, the subject or the receipt; empty if nothing is."""
    if path[:2] in (("receipt", "args"), ("receipt", "result")):
        if len(path) == 2 or not tools:
            return ""
        models = [tool.input_model if path[1] == "args" else tool.output_model for tool in tools]
        known = {name for model in models for name in model.model_fields}
        return "" if path[2] in known else _none_such(path, path[2], known)
    if any(field[: len(path)] == path or path[: len(field)] == field for field in FIELDS) or path[0] in _RECORDS:
        return ""
    return _none_such(path, ".".join(path), {".".join(field) for field in FIELDS})


def _none_such(path: tuple[str, ...], name: str, known: Iterable[str]) -> str:
    return f"there is no {'.'.join(path)}, so this can never be proven; {nearest(name, known)}"


def _slip(path: tuple[str, ...], others: set[str]) -> str:
    close = difflib.get_close_matches(path[1], sorted(others), n=1, cutoff=ALIKE)
    if path[1] in others or not close:
        return ""
    return f"nothing else is called {path[1]}; did you mean {close[0]!r}? Without such a field nothing is proven"


def _all_fields(model: type[BaseModel]) -> Iterator[str]:
    """The names of a model's fields and of those within them."""
    schema: dict[str, Any] = model.model_json_schema(mode="serialization")
    for part in (schema, *schema.get("$defs", {}).values()):
        yield from part.get("properties", {})


def _in_tools(deployment: Deployment) -> Iterator[Problem]:
    """Settings that a tool's code asks for by name."""
    known = set(deployment.settings.tools.settings)
    for module in deployment.settings.tools.modules:
        file = deployment.folder / module
        for line, name in _settings_read(file):
            if name not in known:
                message = f"settle.toml has no [tools.settings] {name}; {nearest(name, known)}"
                yield Problem(file=str(file), line=line, field="", message=message)


def _settings_read(file: Path) -> Iterator[tuple[int, str]]:
    """``ctx.setting("NAME")`` and ``ctx.settings["NAME"]``, with their lines."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        match node:
            case ast.Call(func=ast.Attribute(attr="setting"), args=[ast.Constant(value=str(name))]):
                yield node.lineno, name
            case ast.Subscript(value=ast.Attribute(attr="settings"), slice=ast.Constant(value=str(name))):
                yield node.lineno, name


def _secrets(deployment: Deployment) -> Iterator[Problem]:
    """Secrets that are neither set nor made up, and are all but the name of one that is made up."""
    made = deployment.settings.secrets.generate
    source, _, _ = read_settings(deployment.folder / SETTINGS)
    for field, name in secrets_named(deployment.settings):
        close = difflib.get_close_matches(name, made, n=1, cutoff=ALIKE_SECRETS)
        if name not in made and not os.environ.get(name) and close:
            message = f"the environment has no {name}, and [secrets] generate none; did you mean {close[0]!r}?"
            yield source.problem(field, message)
