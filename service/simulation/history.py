"""What people did, compared with what would have been done: right, missed, or a false action."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from agents.documents import nearest
from service.intake import Past, RowProblem
from service.rehearsed import Rehearsed, RehearsedEnd, RehearsedTask
from service.shown import value

HANDOFF = "handoff"
"""In place of an outcome: people had to do it."""
NONE = "none"
"""In place of an outcome: nothing was to be done (spam, a question that was only answered)."""


class Judged(BaseModel):
    """One rehearsed ticket against its history."""

    model_config = ConfigDict(frozen=True)

    expected: tuple[str, ...]
    """Outcomes as the history has them, ``refund_issued order:11874``; empty where it says nothing."""
    right: bool | None
    """All that was expected would be claimed and nothing else; None where the history says nothing, or where a model
    would have been needed to know."""
    missed: bool
    """An outcome was expected that would not be claimed."""
    false_actions: tuple[str, ...]
    """Effects and claims that the history speaks against, in words."""
    other_procedure: str
    """The procedure that the history names, where another one would have run; empty otherwise."""


def checked(past: Past, outcomes: Collection[str], *, row: str) -> tuple[Past, list[RowProblem]]:
    """``past`` as far as it can be used, and what is wrong with the rest; ``outcomes`` are the contract's types."""
    known = {*outcomes, HANDOFF, NONE}
    wrong = ""
    for outcome in past.outcomes:
        if outcome not in known:
            wrong = f"{outcome[:60]!r} is no outcome of the contract; {nearest(outcome, known)}"
    if past.subjects and len(past.subjects) != len(past.outcomes):
        wrong = f"{len(past.subjects)} subjects for {len(past.outcomes)} outcomes"
    if len(past.outcomes) > 1 and {HANDOFF, NONE} & set(past.outcomes):
        wrong = f"{HANDOFF} and {NONE} stand alone"
    if not wrong:
        return past, []
    message = f"what {row} expects is not used: {wrong}"
    return Past(procedure=past.procedure), [RowProblem(row=0, message=message, kept=True)]


def judge(rehearsed: Rehearsed, past: Past) -> Judged:
    """Compare; ``past`` is one that `checked` let through.

    False is every effect, and every claim, for another outcome than an expected one, about another subject than that
    outcome's, or where people had to do it. A claim that would not be proven is no action; the effect behind it is.
    """
    chosen = sorted({task.procedure.partition("@")[0] for task in rehearsed.tasks if task.procedure})
    other = past.procedure if past.procedure and chosen != [past.procedure] else ""
    if not past.outcomes or rehearsed.end is RehearsedEnd.NEEDS_MODEL:
        return Judged(expected=(), right=None, missed=False, false_actions=(), other_procedure=other)
    subjects = past.subjects or ("",) * len(past.outcomes)
    wanted = [pair for pair in zip(past.outcomes, subjects, strict=True) if pair[0] not in (HANDOFF, NONE)]
    claims = [(task.outcome_type, task.subject) for task in rehearsed.tasks if task.outcome_type and task.proven]
    missed = [pair for pair in wanted if not _any(claims, pair)]
    false = [said for task in rehearsed.tasks for said in _false(task, wanted, past.outcomes[0])]
    return Judged(
        expected=tuple(" ".join(pair).strip() for pair in zip(past.outcomes, subjects, strict=True)),
        right=not missed and not false,
        missed=bool(missed),
        false_actions=tuple(false),
        other_procedure=other,
    )


def _false(task: RehearsedTask, wanted: Sequence[tuple[str, str]], first: str) -> Iterable[str]:
    outcome = task.outcome_type if task.outcome_type and task.proven else task.intended
    if any(_same((outcome, task.subject), pair) for pair in wanted):
        return
    instead = " or ".join(" of ".join(filter(None, pair)) for pair in wanted) or first
    for effect in task.effects:
        arguments = ", ".join(f"{name}={value(given).text}" for name, given in sorted(effect.args.items()))
        yield f"{effect.tool}({arguments}), where the history has {instead}"
    if not task.effects and task.outcome_type and task.proven:
        moved = any(_same((task.intended, task.subject), pair) for pair in wanted)
        doubt = " (the record may have moved on since)" if moved else ""
        yield f"claim of {outcome} of {task.subject}, where the history has {instead}{doubt}"


def _any(claims: Iterable[tuple[str, str]], pair: tuple[str, str]) -> bool:
    return any(_same(claim, pair) for claim in claims)


def _same(done: tuple[str, str], expected: tuple[str, str]) -> bool:
    """True if the outcome is the expected one; the subject counts where the history names it, with its kind or not."""
    outcome, subject = expected
    return done[0] == outcome and subject in ("", done[1], done[1].partition(":")[2])
