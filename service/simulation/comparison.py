"""Two versions of a deployment on the same tickets: what changed, ticket by ticket, and whether it is good enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from service.intake import RowProblem
from service.rehearsed import ENDS, RehearsedEnd
from service.simulation.remarks import span
from service.simulation.running import Result
from service.simulation.tally import Summary


class Played(BaseModel):
    """What `settle simulate --json` prints."""

    model_config = ConfigDict(frozen=True)

    summary: Summary
    tickets: tuple[Result, ...]
    problems: tuple[RowProblem, ...]


class Turn(StrEnum):
    """Which way a ticket changed."""

    WORSE = "worse"
    """It was as the history has it, or resolved, and is no longer; or something false would be done that was not."""
    BETTER = "better"
    OTHER = "other"
    """Another outcome, another charge, other effects; neither better nor worse as far as anybody can tell."""


class Change(BaseModel):
    """One ticket that the two versions treat differently."""

    model_config = ConfigDict(frozen=True)

    ticket: str
    turn: Turn
    before: str
    after: str


class Gate(BaseModel):
    """One rate that was asked for."""

    model_config = ConfigDict(frozen=True)

    name: str
    wanted: str
    found: str
    ok: bool


class Limits(BaseModel):
    """What the new version must reach; None is not asked for."""

    model_config = ConfigDict(frozen=True)

    min_resolved: float | None = None
    """Share of the tickets worked on, 0 to 1."""
    min_precision: float | None = None
    """Share of the claims on tickets with a known history that the history agrees with, 0 to 1."""
    max_false_actions: int | None = None
    max_regressions: int | None = None
    """How many tickets may turn `Turn.WORSE`."""


def changes(baseline: Iterable[Result], candidate: Iterable[Result], currency: str) -> Iterator[Change]:
    """Every ticket of both that the versions treat differently, in the order of the candidate."""
    before: Mapping[str, Result] = {one.rehearsed.ticket: one for one in baseline}
    for after in candidate:
        was = before.get(after.rehearsed.ticket)
        if was is None or _treated(was) == _treated(after):
            continue
        yield Change(
            ticket=after.rehearsed.ticket,
            turn=_turn(was, after),
            before=_described(was, currency),
            after=_described(after, currency),
        )


def gates(limits: Limits, candidate: Summary, regressions: int) -> list[Gate]:
    """Every limit that was set, and whether it is kept. What cannot be measured is not kept."""
    found = []
    if limits.min_resolved is not None:
        share = candidate.resolved.share
        ok = share is not None and share >= limits.min_resolved
        wanted = f"at least {limits.min_resolved:.1%}"
        found.append(Gate(name="resolved", wanted=wanted, found=str(candidate.resolved), ok=ok))
    if limits.min_precision is not None:
        share = candidate.precision.share
        ok = share is not None and share >= limits.min_precision
        wanted = f"at least {limits.min_precision:.1%}"
        found.append(Gate(name="precision", wanted=wanted, found=str(candidate.precision), ok=ok))
    if limits.max_false_actions is not None:
        known = candidate.judged > 0
        ok = known and candidate.false_actions <= limits.max_false_actions
        shown = str(candidate.false_actions) if known else "unknown: no ticket says what people did"
        found.append(Gate(name="false actions", wanted=f"at most {limits.max_false_actions}", found=shown, ok=ok))
    if limits.max_regressions is not None:
        ok = regressions <= limits.max_regressions
        wanted = f"at most {limits.max_regressions}"
        found.append(Gate(name="tickets that are worse", wanted=wanted, found=str(regressions), ok=ok))
    return found


def _treated(result: Result) -> object:
    """What makes two treatments of a ticket the same: procedure versions, and words of replies, do not count."""
    tasks = [
        (task.end, task.code, task.outcome_type, task.subject, task.proof, task.charge_minor, task.charge_most_minor)
        for task in result.rehearsed.tasks
    ]
    effects = [(effect.tool, effect.args) for task in result.rehearsed.tasks for effect in task.effects]
    return result.rehearsed.end, tasks, effects, result.judged.false_actions


def _turn(was: Result, now: Result) -> Turn:
    """False actions weigh most, then the history, then whether it is resolved at all."""
    marks = [_marks(was), _marks(now)]
    if marks[0] == marks[1]:
        return Turn.OTHER
    return Turn.BETTER if marks[1] > marks[0] else Turn.WORSE


def _marks(result: Result) -> tuple[int, int]:
    judged, resolved = result.judged, result.rehearsed.end is RehearsedEnd.RESOLVED
    return -len(judged.false_actions), int(resolved if judged.right is None else judged.right)


def _described(result: Result, currency: str) -> str:
    rehearsed = result.rehearsed
    claims = [f"{task.outcome_type} {task.subject}" for task in rehearsed.tasks if task.proven]
    said = [ENDS[rehearsed.end], *claims]
    if rehearsed.charge_most_minor:
        said.append(span(rehearsed.charge_minor, rehearsed.charge_most_minor, currency))
    if rehearsed.why:
        said.append(rehearsed.why)
    return "; ".join([*said, *(f"FALSE: {one}" for one in result.judged.false_actions)])
