"""The issues of a ticket: which procedure each part of the requester's words calls for.

A ticket is looked at as a whole, and sentence by sentence. It holds several issues if different sentences surely call
for different procedures, or for the same one on different records. When that is not sure the ticket is one issue.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations

from agents.planner.plan import Input
from agents.planner.procedure import Procedure
from agents.planner.selection import ProcedureSelector

MAX_ISSUES = 4
"""A ticket that holds more is for a person."""
MAX_PARTS = 60
"""Sentences that are looked at one by one; a longer ticket is one issue."""
PATTERN_SECONDS = 1.0
"""How long a procedure's pattern may look through one text: some never end on some texts."""
MAX_WORDS = 20_000
"""Characters of a text in which inputs are looked for."""

_PART = re.compile(
    r"(?<=[.!?。！？;；\n])\s*|(?i:,?\s+and\s+also\s+|,?\s+und\s+außerdem\s+)|(?:，|,)?\s*(?:另外|还有)[，,]?\s*"
)
_WORDS = re.compile(r"\w")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One issue."""

    procedure: Procedure | None
    """None if no procedure surely fits."""
    words: tuple[str, ...]
    """The requester's words that are this issue; empty means all of them."""
    reason: str
    code: str = "no_procedure"
    """Why it is for a person, where no procedure fits."""


Values = dict[str, frozenset[str]]
"""By input: the values that a text names."""


@dataclass(slots=True, kw_only=True)
class _Group:
    """Sentences that belong together."""

    procedure: Procedure
    reason: str
    values: Values
    words: list[str]


def issues(selector: ProcedureSelector, messages: Sequence[str]) -> tuple[Issue, ...]:
    """The issues in ``messages`` (the requester's own words, oldest first): at least one."""
    whole = selector.select("\n".join(messages))
    groups = _without_noise(_groups(selector, messages))
    for group in groups:
        group.values = reduce(_joined, (_values(group.procedure, words) for words in group.words))
    unsure = whole.procedure is None
    if len(groups) < 2 or not all(_apart(one, other, unsure=unsure) for one, other in combinations(groups, 2)):
        return (Issue(procedure=whole.procedure, words=(), reason=whole.reason),)
    if len(groups) > MAX_ISSUES:
        return (Issue(procedure=None, words=(), reason=f"it holds more than {MAX_ISSUES} issues"),)
    return tuple(Issue(procedure=one.procedure, words=tuple(one.words), reason=one.reason) for one in groups)


def parts(message: str) -> list[str]:
    """The sentences of a message, and what stands on either side of a word for "and also"."""
    return [part for part in _PART.split(_tidy(message)) if _WORDS.search(part)]


def matches(wanted: Input, texts: Sequence[str]) -> list[str]:
    """The distinct values of an input in the newest of ``texts`` that holds any.

    Full-width letters and digits, as Chinese and Japanese keyboards write them, count as the plain ones.

    Raises:
        TimeoutError: the pattern takes longer than `PATTERN_SECONDS` on one of them.
    """
    for text in reversed(texts):
        found = (match.strip() for match in wanted.pattern.findall(_plain(text[:MAX_WORDS]), timeout=PATTERN_SECONDS))
        values = list(dict.fromkeys(value for value in found if value))
        if values:
            return values
    return []


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def named(procedure: Procedure, texts: Sequence[str]) -> frozenset[str]:
    """Every value that any input of ``procedure`` finds in ``texts``."""
    return frozenset(value for text in texts for values in _values(procedure, text).values() for value in values)


def _values(procedure: Procedure, text: str) -> Values:
    try:
        found = {wanted.name: frozenset(matches(wanted, [text])) for wanted in procedure.plan.inputs}
    except TimeoutError:
        return {}
    return {name: values for name, values in found.items() if values}


def _inputs(procedure: Procedure) -> frozenset[str]:
    return frozenset(wanted.name for wanted in procedure.plan.inputs)


def _groups(selector: ProcedureSelector, messages: Sequence[str]) -> list[_Group]:
    sentences = [part for message in messages for part in parts(message)]
    groups: list[_Group] = []
    if not 1 < len(sentences) <= MAX_PARTS:
        return groups
    ahead: list[str] = []
    for part in sentences:
        chosen = selector.select(part)
        if chosen.procedure is None or chosen.procedure.triggers.otherwise:
            (_home(groups, part).words if groups else ahead).append(part)
            continue
        values = _values(chosen.procedure, part)
        same = (one for one in groups if one.procedure is chosen.procedure and not _differ(one.values, values))
        group = next(same, None)
        if group is None:
            group = _Group(procedure=chosen.procedure, reason=chosen.reason, values={}, words=ahead)
            ahead = []
            groups.append(group)
        group.values = _joined(group.values, values)
        group.words.append(part)
    return groups


def _home(groups: list[_Group], part: str) -> _Group:
    """The group of a sentence that calls for nothing by itself: one whose record it names, else the newest."""
    same = (one for one in groups if _meet(one.values, _values(one.procedure, part)))
    return next(same, groups[-1])


def _without_noise(groups: list[_Group]) -> list[_Group]:
    """A group that names nothing belongs to the one ahead of it, where two others say what they are about."""
    if sum(bool(one.values) for one in groups) < 2:
        return groups
    kept: list[_Group] = []
    ahead: list[str] = []
    for one in groups:
        if one.values:
            one.words = [*ahead, *one.words]
            ahead = []
            kept.append(one)
        else:
            (kept[-1].words if kept else ahead).extend(one.words)
    return kept


def _tidy(message: str) -> str:
    """The message with one space, or one line end, where it has many: looking for its parts then takes no time."""
    return _SPACES.sub(lambda run: "\n" if "\n" in run.group() else " ", message[:MAX_WORDS])


def _apart(one: _Group, other: _Group, *, unsure: bool) -> bool:
    """True if the two are surely about different things; ``unsure`` if the whole ticket fits no one procedure."""
    if one.procedure is other.procedure and one.values.keys() != other.values.keys():
        return False  # the later one may well correct the earlier
    shared = _inputs(one.procedure) & _inputs(other.procedure)
    return _differ(one.values, other.values) or (unsure and not shared)


def _joined(one: Values, other: Values) -> Values:
    return {name: one.get(name, frozenset()) | other.get(name, frozenset()) for name in one.keys() | other.keys()}


def _meet(one: Values, other: Values) -> bool:
    """True if both name the same value of an input."""
    return any(one[name] & other[name] for name in one.keys() & other.keys())


def _differ(one: Values, other: Values) -> bool:
    """True if both name a value of the same input, and not the same one."""
    return any(not one[name] & other[name] for name in one.keys() & other.keys())
