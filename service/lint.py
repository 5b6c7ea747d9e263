"""Everything that a person should know about a deployment's files before they run: what is wrong, and what looks it.

Problems keep a deployment from running (`service.deployment.read_deployment`). Warnings do not: they are what a careful
reader would ask about. They are looked for in whatever could be read, so that both are listed in one go.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import regex

from agents.documents import Source, read_document
from agents.errors import InvalidDocument, Problem
from agents.models.router import Role
from agents.planner import Procedure, ProcedureSelector, detect_language
from agents.planner.plan import OpenStep
from agents.planner.replies import FALLBACK, FRAME, Replies
from service.deployment import Deployment, read_deployment
from service.handing_off import PART_HANDED_OFF
from service.model_settings import ModelSettings
from service.unknown_names import unknown_names

FEW_LINES = 6
"""A procedure with fewer ``like`` lines is chosen by luck."""
PARTS = 10
"""A tenth of the ``like`` lines is left out at a time, to see which procedure they select as messages that are new."""
SENT_BY_SETTLE = frozenset({"handed-off", PART_HANDED_OFF, FRAME})
"""Replies that no procedure names."""
_DIGITS = ("0123456789" * 4, "9876543210" * 4, "1357924680" * 4, *(digit * 40 for digit in "0123456789"))
"""Runs of digits that are no number anybody asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """What became of the ``like`` lines when they were left out and then looked at as messages."""

    own: int
    """So many selected their own procedure."""
    none: int
    """So many selected none: such a message goes to a person."""
    other: int
    """So many selected another procedure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found in a deployment."""

    problems: tuple[Problem, ...]
    """It cannot run with these."""
    warnings: tuple[Problem, ...]
    """It can run with these."""
    examples: Examples | None
    """None while there are problems, and without ``like`` lines."""


def lint(folder: Path) -> Findings:
    """Look at every file of the deployment in ``folder``; `NoDeployment` if there is no settle.toml."""
    deployment, problems = read_deployment(folder)
    procedures = _documents(folder / "procedures")
    replies, _ = Replies.read(folder / "replies")
    warnings = [*_unused_replies(folder, procedures, replies), *_missing_languages(folder, replies)]
    warnings += _examples_twice(procedures)
    examples = None
    if deployment is not None:
        sources = {str(source.data["procedure"]): source for source in procedures}
        warnings += _contract_warnings(deployment)
        warnings += unknown_names(deployment)
        for procedure in deployment.procedures:
            source = sources[procedure.name]
            warnings += _loose_patterns(source, procedure)
            warnings += _few_examples(source, procedure, replies)
            warnings += _nobody_to_ask(source, procedure, deployment.settings.models)
        if not deployment.procedures:
            message = "there is no procedure, so every ticket goes to a person; write procedures/NAME.yaml"
            warnings.append(Problem(file=str(folder / "procedures"), line=None, field="", message=message))
        examples, confused = _left_out(sources, deployment.procedures)
        warnings += confused
    return Findings(problems=_sorted(problems), warnings=_sorted(warnings), examples=examples)


def _documents(folder: Path) -> list[Source]:
    """The procedures that are YAML with fields; what else they are is the loader's concern."""
    found = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            source = read_document(path)
        except InvalidDocument:
            continue
        if isinstance(source.data, dict):
            found.append(source)
    return found


def _unused_replies(folder: Path, procedures: Sequence[Source], replies: Replies) -> Iterator[Problem]:
    named = {value for source in procedures for name, value in _scalars(source.data) if name in ("reply", "ask")}
    for name in sorted(replies.names() - named - SENT_BY_SETTLE):
        message = "no procedure sends it; name it in a step or remove it"
        yield Problem(file=str(folder / "replies" / f"{name}.{FALLBACK}.md"), line=None, field="", message=message)


def _missing_languages(folder: Path, replies: Replies) -> Iterator[Problem]:
    for name in sorted(replies.names()):
        for language in sorted(replies.languages() - replies.languages_of(name) - {FALLBACK}):
            file = str(folder / "replies" / f"{name}.{language}.md")
            message = f"is missing; others exist in {language!r}, and this one is sent in English"
            yield Problem(file=file, line=None, field="", message=message)


def _examples_twice(procedures: Sequence[Source]) -> Iterator[Problem]:
    like: dict[str, Source] = {}
    for source, kind, number, line in _trigger_lines(procedures):
        standing = like.get(_folded(line))
        place = ("triggers", kind, number)
        if kind == "like":
            like.setdefault(_folded(line), source)
            if standing is source:
                yield source.problem(place, f"{line!r} is there twice; once is enough")
            elif standing is not None:
                yield source.problem(
                    place, f"{line!r} is also under {Path(standing.file).name}; keep it in one of them"
                )
        elif standing is source:
            yield source.problem(place, f"{line!r} is also under `like`; keep it in one of them")
        elif standing is not None:
            message = f"{line!r} is a `like` line of {Path(standing.file).name}, which says enough; remove it here"
            yield source.problem(place, message)


def _trigger_lines(procedures: Sequence[Source]) -> Iterator[tuple[Source, str, int, str]]:
    """All ``like`` lines, then all ``unlike`` lines."""
    for kind in ("like", "unlike"):
        for source in procedures:
            triggers = source.data.get("triggers")
            lines = triggers.get(kind) if isinstance(triggers, dict) else None
            for number, line in enumerate(lines if isinstance(lines, list) else []):
                if isinstance(line, str):
                    yield source, kind, number, line


def _contract_warnings(deployment: Deployment) -> Iterator[Problem]:
    source, claimed = deployment.contract_source, {name for one in deployment.procedures for name in one.outcomes}
    for name, terms in source.data["outcomes"].items():
        if name not in claimed:
            message = (
                f"no procedure claims {name}, so it is never charged; name it as a procedure's outcome or remove it"
            )
            yield source.problem(("outcomes", name), message)
        price = terms.get("price")
        if isinstance(price, str) and not price.strip("0."):
            yield source.problem(("outcomes", name, "price"), "is 0: the outcome is proven and never charged")


def _loose_patterns(source: Source, procedure: Procedure) -> Iterator[Problem]:
    for one in procedure.plan.inputs:
        if any(_within_a_number(one.pattern, digits) for digits in _DIGITS):
            message = (
                "matches inside longer numbers, such as a telephone number; "
                "put (?<!\\d) in front of the digits and (?!\\d) behind them"
            )
            yield source.problem(("inputs", one.name, "pattern"), message)


def _within_a_number(pattern: regex.Pattern[str], digits: str) -> bool:
    try:
        found = pattern.search(digits, timeout=1.0)
    except TimeoutError:
        return False
    return found is not None and 0 < len(found.group()) < len(digits)


def _few_examples(source: Source, procedure: Procedure, replies: Replies) -> Iterator[Problem]:
    lines = procedure.triggers.like
    if procedure.triggers.otherwise:
        return
    if len(lines) < FEW_LINES:
        message = f"{len(lines)} lines; with fewer than {FEW_LINES}, of different wording, it is chosen by luck"
        yield source.problem(("triggers", "like"), message)
    spoken = {detect_language(line, among=replies.languages()) for line in lines}
    for language in sorted(replies.languages() - spoken):
        message = f"no line is in {language!r}, and replies are: such a message is hardly ever recognised"
        yield source.problem(("triggers", "like"), message)


def _nobody_to_ask(source: Source, procedure: Procedure, models: ModelSettings | None) -> Iterator[Problem]:
    plan, named = procedure.plan, models or ModelSettings()
    message = (
        "is for a model, and settle.toml names none: tickets that come to it go to a person; "
        'add {role} = ["provider:model"] to [models] (docs/models.md)'
    )
    if plan.outline is not None and not named.planner:
        yield source.problem(("plan",), message.format(role=Role.PLANNER))
    for at, step in enumerate(plan.steps):
        if isinstance(step, OpenStep) and not step.agent and not named.executor:
            yield source.problem(("steps", at), message.format(role=Role.EXECUTOR))


def _left_out(sources: Mapping[str, Source], procedures: Sequence[Procedure]) -> tuple[Examples | None, list[Problem]]:
    """Leave out each ``like`` line once, a tenth of every procedure's at a time, and see what it selects then."""
    counts: Counter[str] = Counter()
    confused: list[Problem] = []
    for part in range(PARTS):
        out = [(one, at) for one in procedures for at in range(part, len(one.triggers.like), PARTS)]
        if not out:
            break
        selector = ProcedureSelector(_without_part(one, part) for one in procedures)
        for procedure, at in out:
            line = procedure.triggers.like[at]
            chosen = selector.select(line).procedure
            if chosen is not None and chosen.name == procedure.name:
                counts["own"] += 1
            elif chosen is None or chosen.triggers.otherwise:
                counts["none"] += 1
            else:
                message = f"left out, {line!r} selects {chosen.name}; add lines of other wording, or `unlike` there"
                confused.append(sources[procedure.name].problem(("triggers", "like", at), message))
    if not counts and not confused:
        return None, []
    return Examples(own=counts["own"], none=counts["none"], other=len(confused)), confused


def _without_part(procedure: Procedure, part: int) -> Procedure:
    """``procedure`` without every tenth of its ``like`` lines, from the one at ``part`` on."""
    rest = tuple(line for at, line in enumerate(procedure.triggers.like) if at % PARTS != part)
    return replace(procedure, triggers=procedure.triggers.model_copy(update={"like": rest}))


def _scalars(data: Any) -> Iterator[tuple[str, str]]:
    """Every field with a text, wherever it is."""
    if isinstance(data, dict):
        for name, value in data.items():
            if isinstance(value, str):
                yield name, value
            yield from _scalars(value)
    elif isinstance(data, list):
        for item in data:
            yield from _scalars(item)


def _folded(line: str) -> str:
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", line).casefold()).strip()


def _sorted(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda one: (one.file, one.line or 0)))
