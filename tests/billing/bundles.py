"""One invoice with everything on it, proven by the real evaluators, and its bundle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agents.canonical import fingerprint
from agents.claim import Claim
from agents.clock import ManualClock
from agents.evidence import Evidence, MemoryEvidenceStore
from agents.receipt import Effect, Receipt, ReceiptState
from agents.ticket import Author, Message, Requester, Ticket
from billing.bundle import write_bundle
from billing.contract import SignedContract
from billing.invoice import issue
from billing.outcome import record_verdict, settle
from billing.periods import month
from billing.reversal import requester_returned
from evaluators.observer import MemorySnapshots, Snapshot
from evaluators.reading import Reading, keep_reading
from evaluators.sources.memory import MemorySource
from evaluators.verification import Verifier
from tests.billing.books import CUSTOMER, DAY, EVALUATOR, HOUR, START, TENANT, VENDOR, Books, contract

TERMS = contract().verify()
ISSUED_AT = START + 32 * DAY
EMAIL = "ada@example.org"


class Shop:
    """A system of record, evaluators that read it, and an agent that always does what it was asked."""

    def __init__(self, signed: SignedContract | None = None) -> None:
        self.signed = signed or contract()
        self.clock = ManualClock(START)
        self.evidence = MemoryEvidenceStore()
        self.records = MemorySource(clock=self.clock)
        self.snapshots = MemorySnapshots()
        self.receipts: list[Receipt] = []
        self.verifier = Verifier(
            sources={"acme_back_office": self.records},
            snapshots=self.snapshots,
            evidence=self.evidence,
            key=EVALUATOR,
            clock=self.clock,
        )

    def receipts_of(self, task_id: str) -> Iterable[Receipt]:
        return [receipt for receipt in self.receipts if receipt.task_id == task_id]

    def refund(self, n: int, total_minor: int = 3490) -> Claim:
        """Refund order n in full; the claim of it."""
        order, key = f"{10480 + n}", f"task-{n}/refund/1"
        record: dict[str, Any] = {
            "customer_email": EMAIL,
            "currency": "USD",
            "total_minor": total_minor,
            "refunded_minor": 0,
            "refund_reference": "",
        }
        seen = Reading(subject=f"order:{order}", record=record, read_at=self.clock.now(), effect=key)
        self.snapshots.keep(
            Snapshot(
                tenant=TENANT,
                key=key,
                task_id=f"task-{n}",
                subject=f"order:{order}",
                evidence=keep_reading(self.evidence, seen, label="before"),
                taken_at=seen.read_at,
            )
        )
        self.records.put("order", order, {**record, "refunded_minor": total_minor, "refund_reference": key})
        picture = self.evidence.put(b"\x89PNG picture of %d" % n, media_type="image/png", label="done")
        self._receipt(n, key, Effect.WRITE, {"order_id": order}, {"state": "done"}, (picture,))
        return self._claim(n, "refund_issued", "Your order is refunded.", (key,))

    def status(self, n: int) -> Claim:
        """Tell where order n is; the claim of it."""
        order, key = f"{10480 + n}", f"run-{n}/task-{n}/find/1"
        record: dict[str, Any] = {"customer_email": EMAIL, "status": "shipped"}
        self.records.put("order", order, record)
        self._receipt(n, key, Effect.READ, {"order_id": order}, record, ())
        return self._claim(n, "order_status_told", "Your order is on its way.", (key,))

    def bring(self, books: Books, claim: Claim, settled_at: datetime) -> None:
        """From claim to charge, judged by the verifier."""
        order = claim.subject.removeprefix("order:")
        words = f"I want a refund for order {order}. Where is it?"
        message = Message(id="m", author=Author.REQUESTER, text=words, at=START)
        ticket = Ticket(
            tenant=TENANT,
            id=claim.ticket_id,
            subject="Help",
            requester=Requester(email=EMAIL),
            messages=(message,),
            opened_at=START,
            version=1,
        )
        terms = self.signed.verify().outcomes[claim.outcome_type]
        receipts = list(self.receipts_of(claim.task_id))
        books.claim(claim)
        verdict = asyncio.run(
            self.verifier.verify(
                claim,
                terms=terms,
                contract=self.signed.reference,
                contract_sha256=self.signed.sha256,
                ticket=ticket,
                receipts=receipts,
            )
        )
        stands = asyncio.run(self.verifier.still_stands(verdict, claim, terms, receipts, ticket))
        with books.write() as session:
            outcome = record_verdict(
                session, claim, verdict, self.signed, ticket_opened_at=START, ticket_tags=(), now=START + HOUR
            )
            assert outcome.state == "verified", verdict
            settle(
                session,
                tenant=TENANT,
                outcome_id=claim.id,
                still_stands=stands,
                ticket_tags=(),
                now=settled_at,
            )

    def bundle(self, books: Books, into: Path, *, now: datetime = ISSUED_AT + 2 * DAY) -> Path:
        with books.write() as session:
            return write_bundle(
                session,
                tenant=TENANT,
                number="INV-0001",
                receipts_of=self.receipts_of,
                evidence=self.evidence,
                vendor_key=VENDOR,
                into=into,
                now=now,
            )

    def _receipt(
        self,
        n: int,
        key: str,
        effect: Effect,
        args: dict[str, Any],
        result: Any,
        evidence: tuple[Evidence, ...],
    ) -> None:
        self.receipts.append(
            Receipt(
                tenant=TENANT,
                key=key,
                task_id=f"task-{n}",
                run_id=f"run-{n}",
                step="s",
                tool="back_office.refund",
                tool_version="1",
                effect=effect,
                args=args,
                args_sha256=fingerprint(args),
                procedure="refund-damaged-item@3",
                state=ReceiptState.DONE,
                result=result,
                started_at=self.clock.now(),
                finished_at=self.clock.now(),
                evidence=evidence,
            )
        )

    def _claim(self, n: int, outcome_type: str, reply: str, receipts: tuple[str, ...]) -> Claim:
        return Claim(
            tenant=TENANT,
            id=f"claim-{n}",
            task_id=f"task-{n}",
            run_id=f"run-{n}",
            ticket_id=f"ticket-{n}",
            requester_email=EMAIL,
            outcome_type=outcome_type,
            subject=f"order:{10480 + n}",
            procedure="refund-damaged-item@3",
            reply=reply,
            language="en",
            receipts=receipts,
            made_at=self.clock.now() + timedelta(minutes=1),
        )


def invoiced(books: Books) -> Shop:
    """Two refunds and an answer charged, one refund reversed before the invoice, one credited after it."""
    shop = Shop()
    for n in range(4):
        shop.bring(books, shop.refund(n), START + 5 * DAY)
    shop.bring(books, shop.status(4), START + 6 * DAY)
    with books.write() as session:
        at = START + 7 * DAY
        requester_returned(session, tenant=TENANT, ticket_id="ticket-0", written_at=at, now=at)
        october = month("2026-10", "Europe/Berlin")
        issue(session, tenant=TENANT, signed_contract=contract(), period=october, now=ISSUED_AT)
        at = ISSUED_AT + DAY
        requester_returned(session, tenant=TENANT, ticket_id="ticket-1", written_at=at, now=at)
    return shop


PINS = {"vendor_key": VENDOR.public_key, "customer_key": CUSTOMER.public_key}
