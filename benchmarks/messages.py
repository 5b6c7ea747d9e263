"""Messages to choose procedures for, and how they are split: some give the ``like`` lines, others are only judged.

The messages to a bank are banking77 by PolyAI (CC BY 4.0), not part of this repository: ``train.csv`` in the folder
``banking77`` of ``../shared/data`` beside the repository, or of ``$SETTLE_SHARED_DATA``.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agents.paths import Template
from agents.planner import Plan, Procedure
from agents.planner.procedure_document import Triggers
from agents.ticket import Author, Message, Requester, Ticket

ROOT = Path(__file__).parents[1]
BANKING77 = Path(os.environ.get("SETTLE_SHARED_DATA", ROOT.parent / "shared" / "data")) / "banking77" / "train.csv"
RETAIL = ROOT / "examples" / "retail"
CHATTER = (ROOT / "benchmarks" / "chatter.txt").read_text(encoding="utf-8").splitlines()
"""What fits no procedure of anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A message and the intent it has; None if it fits no procedure."""

    text: str
    intent: str | None
    language: str = "en"


def bank(*, held_out: bool) -> list[Said]:
    """A fifth of the messages to a bank is held out, by the sha256 of the text; the others are to work with."""
    with BANKING77.open(encoding="utf-8", newline="") as file:
        said = [Said(text=row["text"].strip(), intent=row["category"]) for row in csv.DictReader(file)]
    return [one for one in said if (_bucket(one.text) < 2) == held_out]


def _bucket(text: str) -> int:
    return int(hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()[:8], 16) % 10


def like_lines(said: Sequence[Said], intents: Iterable[str], most: int | None, draw: int = 0) -> dict[str, list[str]]:
    """By intent its messages, or ``most`` of them drawn at random (``draw`` says which draw)."""
    chance = random.Random(draw)
    lines: dict[str, list[str]] = {}
    for intent in sorted(intents):
        own = [one.text for one in said if one.intent == intent]
        lines[intent] = own if most is None or len(own) <= most else chance.sample(own, most)
    return lines


def procedures(lines: Mapping[str, Sequence[str]]) -> list[Procedure]:
    """Procedures with these ``like`` lines that do nothing."""
    return [
        Procedure(
            name=name,
            version=1,
            triggers=Triggers(like=tuple(like)),
            plan=Plan(
                procedure=f"{name}@1",
                sha256=hashlib.sha256(name.encode()).hexdigest(),
                outcome="done",
                subject=Template.compile("case:1"),
                inputs=(),
                steps=(),
            ),
        )
        for name, like in lines.items()
    ]


def retail_messages() -> list[Said]:
    """Messages to the retail example's shop that were written without looking at what the selector makes of them."""
    lines = (ROOT / "benchmarks" / "retail_messages.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [Said(text=row["text"], intent=row["procedure"], language=row["language"]) for row in rows]


def retail_tickets() -> dict[str, str]:
    """By ticket id the requester's own words, of the retail example's tickets."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    words: dict[str, str] = {}
    for line in (RETAIL / "tickets.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        messages = tuple(
            Message(id=str(number), author=Author.REQUESTER, text=text, at=now)
            for number, text in enumerate(row["messages"])
        )
        requester = Requester(**row["requester"])
        ticket = Ticket(
            tenant="acme",
            id=row["id"],
            subject=row["subject"],
            requester=requester,
            messages=messages,
            opened_at=now,
            version=1,
        )
        words[row["id"]] = "\n".join(ticket.own_words())
    return words
