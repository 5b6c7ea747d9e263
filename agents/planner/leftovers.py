"""What a ticket asks for beside the issues that were found in it: for a person, so that no part of it is lost.

`issues` sees several only where they are surely apart, and the rest of the words goes with one of them. Here every
sentence is looked at once more: one that asks for something, and surely for something that none of the issues is
about, is left over. So is one that names an effect together with the record that it is for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agents.planner.issues import MAX_PARTS, Issue, named, parts
from agents.planner.procedure import Procedure
from agents.planner.selection import ProcedureSelector
from agents.planner.wishes import denied, doubt

PART_LEFT = "part_left"
"""The code of an issue that is left over."""
SURE = 0.6
"""From this score on a sentence is surely about another procedure; at a bank with 77 procedures that are much alike it
then is wrong for 8 of 1,931 messages with one issue each, with 10 of them for 1 of 1,185."""
_ASKS = re.compile(
    r"[?？]|\b(?:please|pls|can you|could you|would you|i want|i['’]d like|i would like|i need|when|where|how"
    r"|bitte|kannst du|können sie|könnten sie|könntet ihr|ich möchte|ich will|ich hätte gern|ich brauche|wann|wo)\b"
    r"|请|麻烦|什么时候|吗|哪|我要|我想|帮",
    re.IGNORECASE,
)


def left_over(
    selector: ProcedureSelector,
    found: Sequence[Issue],
    messages: Sequence[str],
    wishes: Mapping[str, Sequence[str]],
) -> Issue | None:
    """The sentences of ``messages`` that none of the issues ``found`` in them is about, as one issue for a person.

    Args:
        messages: the requester's own words, oldest first.
        wishes: by name of a procedure that changes something the phrases that name the change, lower case.
    """
    covered = [
        issue.procedure for issue in found if issue.procedure is not None and not issue.procedure.triggers.otherwise
    ]
    sentences = [part for message in messages for part in parts(message)]
    if len(covered) < len(found) or not 1 < len(sentences) <= MAX_PARTS:
        return None
    left = [one for one in sentences if _is_left(one, selector, covered, wishes)]
    if not left:
        return None
    said = " ".join(" ".join(left).split())[:160]
    return Issue(
        procedure=None, words=tuple(left), reason=f"the rest of the ticket is not about {said!r}", code=PART_LEFT
    )


def _is_left(
    sentence: str, selector: ProcedureSelector, covered: Sequence[Procedure], wishes: Mapping[str, Sequence[str]]
) -> bool:
    chosen = selector.select(sentence)
    if chosen.procedure in covered:
        return False
    if chosen.procedure is not None and not chosen.procedure.triggers.otherwise:
        forbidden = denied([sentence], wishes.get(chosen.procedure.name, ()))
        return chosen.score >= SURE and bool(_ASKS.search(sentence)) and not forbidden
    if any(_names(sentence, wishes.get(one.name, ())) for one in covered):
        return False
    return any(
        _names(sentence, wishes.get(one.name, ()))
        and bool(named(one, [sentence]))
        and not doubt([sentence], wishes[one.name])
        for one in selector.procedures
    )


def _names(sentence: str, phrases: Sequence[str]) -> bool:
    folded = sentence.casefold()
    return any(phrase in folded for phrase in phrases)
