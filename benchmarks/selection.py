"""How well a procedure is chosen from what a customer wrote, and how fast.

    python -m benchmarks.selection

All messages that are judged are held out: neither the code nor the ``like`` lines were made from them. Coverage is the
share of messages for which a procedure is chosen, precision the share of these for which it is the right one; messages
that fit none count apart.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np

from agents.planner import ProcedureSelector, selection_likeness
from agents.planner.selection import THRESHOLD
from benchmarks.messages import (
    BANKING77,
    CHATTER,
    RETAIL,
    Said,
    bank,
    like_lines,
    procedures,
    retail_messages,
    retail_tickets,
)
from service.deployment import load_deployment

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
DRAWS = 3
LEFT_OUT = 17
"""Intents of 77 that no procedure is for, where messages that fit none are measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of messages, in their order."""

    right: np.ndarray[Any, np.dtype[np.bool_]]
    """The best procedure is the right one, chosen or not; never for a message that fits none."""
    scores: np.ndarray[Any, np.dtype[np.float64]]
    milliseconds: np.ndarray[Any, np.dtype[np.float64]]

    @property
    def accuracy(self) -> float:
        """Without abstaining."""
        return float(self.right.mean())

    def coverage(self, threshold: float = THRESHOLD) -> float:
        """The share for which a procedure is chosen."""
        return float((self.scores >= threshold).mean())

    def precision(self, threshold: float = THRESHOLD) -> float:
        """The share of these for which it is the right one; 1 if there is none."""
        chosen = self.scores >= threshold
        return float(self.right[chosen].mean()) if chosen.any() else 1.0


def judge(selector: ProcedureSelector, said: Sequence[Said]) -> Judged:
    """Select for every message; ``selector`` has the threshold 0, so that it always names the best."""
    right, scores, times = [], [], []
    for one in said:
        started = time.perf_counter()
        found = selector.select(one.text)
        times.append((time.perf_counter() - started) * 1000)
        right.append(found.procedure is not None and found.procedure.name == one.intent)
        scores.append(found.score)
    return Judged(right=np.array(right), scores=np.array(scores), milliseconds=np.array(times))


def always(lines: dict[str, list[str]]) -> ProcedureSelector:
    """A selector that never abstains."""
    return ProcedureSelector(procedures(lines), threshold=0.0)


def _only(said: Iterable[Said], intents: Iterable[str]) -> list[Said]:
    wanted = set(intents)
    return [one for one in said if one.intent in wanted]


def _line(name: str, judged: Sequence[Judged]) -> str:
    return (
        f"{name:<34} accuracy {mean(one.accuracy for one in judged):.3f}, at the default threshold precision "
        f"{mean(one.precision() for one in judged):.3f} at coverage {mean(one.coverage() for one in judged):.3f}"
    )


def _curve(judged: Sequence[Judged]) -> str:
    return "  ".join(
        f"{at:.1f}: {mean(one.precision(at) for one in judged):.3f} at {mean(one.coverage(at) for one in judged):.2f}"
        for at in THRESHOLDS
    )


def every_intent(lines_from: Sequence[Said], judged_on: Sequence[Said]) -> None:
    """A procedure for each of the 77 intents, with all lines and with few."""
    intents = {str(one.intent) for one in lines_from}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    many = always(like_lines(lines_from, intents, None))
    seconds = time.perf_counter() - started
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    result = judge(many, judged_on)
    print(_line(f"77 procedures, {len(lines_from)} lines", [result]))
    print(f"  precision at coverage, by threshold  {_curve([result])}")
    middle, high = np.percentile(result.milliseconds, [50, 95])
    print(f"  {middle:.2f} ms a message (p95 {high:.2f}); made in {seconds:.1f} s, {peak:.0f} MB more at the peak")
    for most in (10, 5):
        draws = [judge(always(like_lines(lines_from, intents, most, draw)), judged_on) for draw in range(DRAWS)]
        print(_line(f"77 procedures, {most} lines each", draws))
        print(f"  precision at coverage, by threshold  {_curve(draws)}")


def none_fits(lines_from: Sequence[Said], judged_on: Sequence[Said]) -> None:
    """Messages that fit no procedure: other intents of the same bank, a shop's messages, chatter."""
    intents = sorted({str(one.intent) for one in lines_from})
    foreign = [Said(text=text, intent=None) for text in (*CHATTER, *retail_tickets().values())]
    foreign += retail_messages()
    for count, most, draws in ((77 - LEFT_OUT, None, 1), (60, 10, DRAWS), (12, 10, 5), (4, 10, 10), (4, 5, 10)):
        inside, near, far = [], [], []
        for draw in range(draws):
            own = random.Random(draw).sample(intents, count)
            selector = always(like_lines(lines_from, own, most, draw))
            others = _only(judged_on, set(intents) - set(own))
            inside.append(judge(selector, _only(judged_on, own)))
            near.append(judge(selector, random.Random(draw).sample(others, min(300, len(others)))))
            far.append(judge(selector, foreign))
        print(_line(f"{count} procedures, {most or 'all'} lines each", inside))
        print(
            f"  given one although none fits: {mean(one.coverage() for one in near):.3f} of the bank's other "
            f"messages, {mean(one.coverage() for one in far):.3f} of a shop's messages and chatter"
        )


def languages() -> None:
    """The retail example: its own tickets, which the code was tuned on, and messages that it was not tuned on."""
    selector = ProcedureSelector(load_deployment(RETAIL).procedures)
    said = [*retail_messages(), *(Said(text=text, intent=None, language="chatter") for text in CHATTER)]
    for language in dict.fromkeys(one.language for one in said):
        chosen = [
            (one.intent, found.procedure.name if found.procedure else None)
            for one in said
            if one.language == language
            for found in [selector.select(one.text)]
        ]
        fitting = [(intent, name) for intent, name in chosen if intent]
        right = sum(intent == name for intent, name in fitting)
        none = sum(name is None for _, name in fitting)
        wrong = sum(name is not None for intent, name in chosen if intent is None)
        print(
            f"retail, {language:<8} {right:>2} right, {len(fitting) - right - none} wrong, {none:>2} for a person; "
            f"{wrong} of {len(chosen) - len(fitting)} that fit none given one"
        )


def without_meanings(lines_from: Sequence[Said], judged_on: Sequence[Said]) -> None:
    """What the word vectors are worth: the same by words and letters alone."""
    meaning, selection_likeness.MEANING = selection_likeness.MEANING, 0.0
    try:
        intents = {str(one.intent) for one in lines_from}
        for most in (None, 10, 5):
            result = judge(always(like_lines(lines_from, intents, most)), judged_on)
            print(_line(f"  without word vectors, {most or 'all'} lines", [result]))
    finally:
        selection_likeness.MEANING = meaning


def main() -> None:
    """Print all figures."""
    started = time.perf_counter()
    always({"warm": ["up"]})
    print(f"word vectors loaded in {time.perf_counter() - started:.2f} s")
    languages()
    if not BANKING77.exists():
        sys.exit(f"the messages to a bank are not at {BANKING77}; the other figures need them")
    lines_from, judged_on = bank(held_out=False), bank(held_out=True)
    every_intent(lines_from, judged_on)
    none_fits(lines_from, judged_on)
    without_meanings(lines_from, judged_on)


if __name__ == "__main__":
    main()
