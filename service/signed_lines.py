"""Replies that quote articles say nothing else than what the contract signs: found out when a deployment is loaded."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from agents.errors import Problem
from agents.planner import Procedure, Replies
from agents.planner.plan import ReplyStep
from agents.planner.replies import FRAME
from billing import Contract
from evaluators.text import folded

_PLACE = re.compile(r"\$\{(?!requester_name\})[a-z_][a-z0-9_]*\}")


def unsigned_lines(
    folder: Path, procedures: Iterable[Procedure], replies: Replies, contract: Contract
) -> Iterator[Problem]:
    """Lines that would keep every answer from being proven: outside the contract's frame, or touching the quotes."""
    for name, signed in sorted(_quoting(procedures, contract).items()):
        for language, text in replies.texts(name).items():
            lines = ["", *(line.strip() for line in text.split("\n")), ""]
            for number, line in enumerate(lines):
                if _PLACE.fullmatch(line):
                    if not lines[number - 1] and not lines[number + 1]:
                        continue
                    message = f"{line} needs an empty line above and below, so that the quotes stand alone"
                elif not line or folded(line) in signed:
                    continue
                else:
                    message = f"{line[:80]!r} is not in the frame that the contract signs; add it there, or remove it"
                file = str(folder / "replies" / f"{name}.{language}.md")
                yield Problem(file=file, line=number, field="", message=message)


def _quoting(procedures: Iterable[Procedure], contract: Contract) -> dict[str, set[str]]:
    """The replies that are sent with quotes, and the lines that the contract signs for them, folded."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for procedure in procedures:
        terms = contract.outcomes.get(procedure.plan.outcome)
        if terms is not None and terms.frame:
            sent = [step.reply for step in procedure.plan.steps if isinstance(step, ReplyStep)]
            for name in (*sent, FRAME):
                found[name].update(map(folded, terms.frame))
    return found
