"""The Case: everything that a Claim is judged on, gathered first, so that judging needs no I/O and can be repeated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import JsonValue

from agents.claim import Claim
from agents.receipt import Receipt, ReceiptState
from agents.ticket import Ticket
from evaluators.sources.source import acceptable_key

MAX_MESSAGES = 200
"""Requester messages that are looked at, oldest first."""
MAX_WORDS = 50_000
"""Characters of them, all together."""

Record = dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an outcome is about: ``order:10482`` is the kind ``order`` and the key ``10482``."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"

    @classmethod
    def parse(cls, text: str) -> Subject | None:
        """The subject that ``text`` names; None if it is not ``kind:key`` with a key that a source would accept."""
        kind, _, key = text.partition(":")
        return cls(kind=kind, key=key) if kind and acceptable_key(key) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A Claim, and what bears on it. Text in here is data: it is compared and never obeyed."""

    claim: Claim
    receipts: tuple[Receipt, ...]
    """All receipts of the task, whether the claim names them or not."""
    requester_email: str
    """As the helpdesk authenticated it."""
    requester_name: str = ""
    """What replies call them."""
    words: tuple[str, ...]
    """The requester's own messages, oldest first, within the bounds of `own_words`."""
    before: Record | None = None
    """The record ahead of the effect ``before_of``; None when no snapshot was taken."""
    before_of: str = ""
    """Key of that effect."""
    after: Record | None = None
    """The record on a fresh read after the claim; None when there is none."""
    unavailable: str = ""
    """Why the record could not be read; empty when it was."""

    def completed(self) -> tuple[Receipt, ...]:
        """Receipts of calls that the claim names, that are done, and that its own run made for its own task."""
        claim = self.claim
        named = frozenset(claim.receipts)
        return tuple(
            receipt
            for receipt in self.receipts
            if receipt.key
            and receipt.key in named
            and receipt.state is ReceiptState.DONE
            and (receipt.tenant, receipt.task_id, receipt.run_id) == (claim.tenant, claim.task_id, claim.run_id)
        )

    def completed_effects(self) -> tuple[Receipt, ...]:
        """Those of `completed` that changed a record; replies to the requester are none, and no source of facts."""
        return tuple(receipt for receipt in self.completed() if receipt.changes_record)

    def effect(self) -> Receipt | None:
        """The completed effect that the snapshot ``before`` was taken ahead of."""
        return next((receipt for receipt in self.completed_effects() if receipt.key == self.before_of), None)


def case_of(claim: Claim, ticket: Ticket, receipts: Iterable[Receipt]) -> Case:
    """The Case of ``claim`` before anything is read; ``receipts`` of other tasks are left out.

    Raises:
        ValueError: ``ticket`` is not the claim's ticket.
    """
    if (ticket.tenant, ticket.id) != (claim.tenant, claim.ticket_id):
        raise ValueError(f"claim {claim.id} is about ticket {claim.ticket_id}, not {ticket.id}")
    own = tuple(receipt for receipt in receipts if (receipt.tenant, receipt.task_id) == (claim.tenant, claim.task_id))
    return Case(
        claim=claim,
        receipts=own,
        requester_email=ticket.requester.email,
        requester_name=ticket.requester.greeting,
        words=own_words(ticket),
    )


def own_words(ticket: Ticket) -> tuple[str, ...]:
    """The requester's own words, within bounds: what a Case, and the evidence of it, holds."""
    return bounded_words(ticket.own_words())


def bounded_words(messages: Iterable[str]) -> tuple[str, ...]:
    """The first `MAX_MESSAGES` messages and `MAX_WORDS` characters; what lies beyond is as if never written."""
    kept: list[str] = []
    left = MAX_WORDS
    for message in messages:
        if len(kept) == MAX_MESSAGES or left <= 0:
            break
        kept.append(message[:left])
        left -= len(kept[-1])
    return tuple(kept)
