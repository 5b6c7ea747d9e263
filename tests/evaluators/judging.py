"""A small shop to judge claims in: orders, a contract's terms, a ticket, receipts, and everything a Verifier needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.canonical import fingerprint
from agents.claim import Claim
from agents.clock import ManualClock
from agents.effect import PendingEffect
from agents.evidence import MemoryEvidenceStore
from agents.receipt import Effect, Receipt, ReceiptState
from agents.ticket import Author, Message, Requester, Ticket
from evaluators import (
    Case,
    MemorySnapshots,
    MemorySource,
    Observer,
    OutcomeTerms,
    SigningKey,
    SourceUnavailable,
    Verdict,
    Verifier,
)

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
ANNA = "anna@example.com"
KEY = "refund-1"
ASKED = "My mug from order #10482 arrived broken. I want a refund, please."
REPLY = "Hello Anna, we have refunded 34.90 USD for order 10482 to you."

REFUND = OutcomeTerms.model_validate(
    {
        "means": "The order is refunded in full.",
        "subject": "order",
        "class": "effect_verified",
        "asked": ["refund", "geld zurück", "退款"],
        "proof": {
            "read": "acme_back_office.order",
            "belongs_to": "after.customer_email == task.requester.email",
            "became": "after.refunded_minor - before.refunded_minor == before.total_minor",
            "by": "after.refund_reference == receipt.key",
        },
        "requires": ["proof", "asked_for", "reply_ok"],
    }
)
REFUSAL = OutcomeTerms.model_validate(
    {
        "means": "A refund is rightly refused: the order is older than 30 days.",
        "subject": "order",
        "class": "grounded",
        "asked": ["refund"],
        "proof": {
            "read": "acme_back_office.order",
            "belongs_to": "after.customer_email == task.requester.email",
            "holds": "after.age_days > 30",
        },
        "requires": ["proof", "asked_for", "reply_ok"],
    }
)


def order(**changes: Any) -> dict[str, Any]:
    """An unrefunded order of Anna's over 34.90 USD."""
    return {
        "id": "10482",
        "customer_email": ANNA,
        "status": "delivered",
        "currency": "USD",
        "total_minor": 3490,
        "refunded_minor": 0,
        "refund_reference": "",
        "placed_at": "2026-06-10T09:00:00+00:00",
        "delivered_at": None,
        **changes,
    }


def refunded(**changes: Any) -> dict[str, Any]:
    """The same order after the full refund that KEY made."""
    return order(**{"refunded_minor": 3490, "refund_reference": KEY, **changes})


def receipt(**changes: Any) -> Receipt:
    """The done refund of Anna's order."""
    values = {
        "tenant": "acme",
        "key": KEY,
        "task_id": "task-1",
        "run_id": "run-1",
        "step": "refund",
        "tool": "back_office.refund",
        "tool_version": "1",
        "effect": Effect.IRREVERSIBLE,
        "args": {"order_id": "10482", "amount": {"minor": 3490, "currency": "USD"}},
        "args_sha256": "0" * 64,
        "procedure": "refund-damaged-item@3",
        "state": ReceiptState.DONE,
        "result": {"ok": True},
        "started_at": NOW,
        "finished_at": NOW,
    }
    return Receipt.model_validate({**values, **changes})


def looked_up(**changes: Any) -> Receipt:
    """A done read of the order."""
    return receipt(
        **{"key": "read-1", "step": "order", "tool": "shop.order", "effect": Effect.READ, "args": {}, **changes}
    )


def claim(**changes: Any) -> Claim:
    """The claim that Anna's order 10482 is refunded."""
    values = {
        "tenant": "acme",
        "id": "claim-1",
        "task_id": "task-1",
        "run_id": "run-1",
        "ticket_id": "ticket-1",
        "requester_email": ANNA,
        "outcome_type": "refund_issued",
        "subject": "order:10482",
        "procedure": "refund-damaged-item@3",
        "reply": REPLY,
        "language": "en",
        "receipts": (KEY,),
        "made_at": NOW,
    }
    return Claim.model_validate({**values, **changes})


def case(**changes: Any) -> Case:
    """The honest case: a full refund, asked for, made by this run, seen before and after."""
    values: dict[str, Any] = {
        "claim": claim(),
        "receipts": (receipt(),),
        "requester_email": ANNA,
        "words": (ASKED,),
        "before": order(),
        "before_of": KEY,
        "after": refunded(),
    }
    return Case(**{**values, **changes})


def refusal(**changes: Any) -> Case:
    """The honest refusal: the order is 45 days old, and the reply says so."""
    values: dict[str, Any] = {
        "claim": claim(
            outcome_type="refused_correctly",
            receipts=("read-1",),
            reply="Sorry, order 10482 is 45 days old; refunds end after 30 days.",
        ),
        "receipts": (looked_up(),),
        "requester_email": ANNA,
        "words": (ASKED,),
        "after": order(age_days=45),
    }
    return Case(**{**values, **changes})


def ticket(*texts: str, **changes: Any) -> Ticket:
    """Anna's ticket with these messages of hers."""
    messages = tuple(
        Message(id=f"m{number}", author=Author.REQUESTER, text=text, at=NOW)
        for number, text in enumerate(texts or (ASKED,))
    )
    values: dict[str, Any] = {
        "tenant": "acme",
        "id": "ticket-1",
        "subject": "Broken mug",
        "requester": Requester(email=ANNA),
        "messages": messages,
        "opened_at": NOW - timedelta(hours=1),
        "version": 1,
    }
    return Ticket(**{**values, **changes})


def pending(**changes: Any) -> PendingEffect:
    """The refund, about to be made."""
    values: dict[str, Any] = {
        "tenant": "acme",
        "task_id": "task-1",
        "key": KEY,
        "tool": "back_office.refund",
        "args": {},
        "outcome_type": "refund_issued",
        "subject": "order:10482",
        "requester_email": ANNA,
    }
    return PendingEffect(**{**values, **changes})


class Down:
    """A source that cannot be read."""

    async def read(self, kind: str, key: str) -> None:
        raise SourceUnavailable("acme_back_office", "switched off")


@dataclass(slots=True)
class Shop:
    """A back office with order 10482, an observer and a verifier that read it, and a clock."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    evidence: MemoryEvidenceStore = field(default_factory=MemoryEvidenceStore)
    snapshots: MemorySnapshots = field(default_factory=MemorySnapshots)
    key: SigningKey = field(default_factory=lambda: SigningKey.generate("evaluator"))
    office: MemorySource = field(init=False)
    sources: dict[str, Any] = field(init=False)
    observer: Observer = field(init=False)
    verifier: Verifier = field(init=False)

    def __post_init__(self) -> None:
        self.office = MemorySource(clock=self.clock, age_from=("delivered_at", "placed_at"))
        self.office.put("order", "10482", order())
        self.sources = {"acme_back_office": self.office}
        terms = {"refund_issued": REFUND, "refused_correctly": REFUSAL}
        self.observer = Observer(
            sources=self.sources,
            terms_for=terms.get,
            snapshots=self.snapshots,
            evidence=self.evidence,
            clock=self.clock,
        )
        self.verifier = Verifier(
            sources=self.sources, snapshots=self.snapshots, evidence=self.evidence, key=self.key, clock=self.clock
        )

    async def refund(self) -> None:
        """What an honest run does: the observer looks, then the money goes back."""
        await self.observer.before_effect(pending())
        self.office.put("order", "10482", refunded())

    async def verify(
        self, its_claim: Claim | None = None, its_ticket: Ticket | None = None, *receipts: Receipt, **changes: Any
    ) -> Verdict:
        """The verdict on a claim, on the refund terms unless told otherwise."""
        values: dict[str, Any] = {
            "terms": REFUND,
            "contract": "acme-2026@2",
            "contract_sha256": fingerprint("acme-2026"),
            "ticket": its_ticket or ticket(),
            "receipts": receipts or (receipt(),),
        }
        return await self.verifier.verify(its_claim or claim(), **{**values, **changes})
