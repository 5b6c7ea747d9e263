"""A database of books in a file, with the append-only triggers in place, and the papers that fill it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlmodel import Session, SQLModel

from agents.canonical import fingerprint
from agents.claim import Claim
from agents.documents import parse_document
from billing.append_only import statements
from billing.contract import SignedContract, draft
from billing.outcome import Outcome, record_claim, record_verdict, settle
from evaluators.signing import SigningKey
from evaluators.verdict import CheckResult, EvidenceClass, Finding, Verdict

START = datetime(2026, 10, 1, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
VENDOR = SigningKey.generate("vendor")
CUSTOMER = SigningKey.generate("customer")
EVALUATOR = SigningKey.generate("evaluator")
TENANT = "acme"

CONTRACT = """\
contract: acme-2026
version: 2
between: {vendor: settle-co, customer: acme, purchase_order: PO-4711}
period: {every: month, timezone: Europe/Berlin}
currency: USD
priced_at: ticket_opened
outcomes:
  refund_issued:
    means: The damaged item's order is refunded in full.
    subject: order
    class: effect_verified
    asked: [refund, money back]
    proof:
      read: acme_back_office.order
      belongs_to: after.customer_email == task.requester.email
      became: after.refunded_minor - before.refunded_minor == before.total_minor
      by: after.refund_reference == receipt.key
    requires: [proof, asked_for, reply_ok]
    price: "0.99"
  order_status_told:
    means: The requester was told where the order is.
    subject: order
    class: grounded
    asked: [where, when]
    proof:
      read: acme_back_office.order
      belongs_to: after.customer_email == task.requester.email
      holds: after.status == 'shipped'
    requires: [proof, asked_for]
    price: "0.29"
settle: {after: 72h, restarts_on: [requester_message, staff_public_reply], no_later_than: 14d}
reverse_on: {within: 30d, when: [same_subject_reopened, proof_undone]}
never_bill: {spam: {decided_by: helpdesk_tag, before: settle}}
dispute: {within: 60d, undecided_after: 10d, then: credit}
rounding: per_line
"""

CLASSES = {"refund_issued": EvidenceClass.EFFECT_VERIFIED, "order_status_told": EvidenceClass.GROUNDED}


def drafted(text: str = CONTRACT, *, in_force_from: datetime = START - 30 * DAY) -> SignedContract:
    return draft(parse_document(text, "acme.yaml"), evaluator_key=EVALUATOR.public_key, in_force_from=in_force_from)


def signed(text: str = CONTRACT, *, in_force_from: datetime = START - 30 * DAY) -> SignedContract:
    return drafted(text, in_force_from=in_force_from).sign(VENDOR).sign(CUSTOMER)


@lru_cache
def contract() -> SignedContract:
    return signed()


def claim(n: int = 1, **changes: Any) -> Claim:
    fields: dict[str, Any] = {
        "tenant": TENANT,
        "id": f"claim-{n}",
        "task_id": f"task-{n}",
        "run_id": f"run-{n}",
        "ticket_id": f"ticket-{n}",
        "requester_email": "Ada@Example.org",
        "outcome_type": "refund_issued",
        "subject": f"order:{10480 + n}",
        "procedure": "refund-damaged-item@3",
        "reply": "We refunded your order.",
        "language": "en",
        "receipts": (),
        "made_at": START,
    }
    return Claim(**{**fields, **changes})


def verdict(about: Claim, signed_contract: SignedContract | None = None, **changes: Any) -> Verdict:
    signed_contract = signed_contract or contract()
    fields: dict[str, Any] = {
        "tenant": about.tenant,
        "id": f"verdict-of-{about.id}",
        "claim_id": about.id,
        "claim_sha256": fingerprint(about),
        "task_id": about.task_id,
        "ticket_id": about.ticket_id,
        "requester_email": about.requester_email,
        "outcome_type": about.outcome_type,
        "subject": about.subject,
        "finding": Finding.PASSED,
        "evidence_class": CLASSES.get(about.outcome_type, EvidenceClass.JUDGED),
        "code": "ok",
        "checks": (),
        "before": None,
        "after": None,
        "request": None,
        "contract": signed_contract.reference,
        "contract_sha256": signed_contract.sha256,
        "verifier_version": "1",
        "decided_at": START + HOUR,
    }
    key = changes.pop("key", EVALUATOR)
    unsigned = Verdict(**{**fields, **changes})
    return unsigned.model_copy(update={"signature": key.sign(unsigned)})


def looked(finding: Finding = Finding.PASSED) -> CheckResult:
    code = {
        Finding.PASSED: "ok",
        Finding.FAILED: "not_as_promised",
        Finding.UNDETERMINED: "source_unavailable",
    }
    return CheckResult(check="effect", version="1", finding=finding, code=code[finding], reason="a fresh look")


class Books:
    """One database file; `write` is a transaction as the service opens one."""

    def __init__(self, folder: Path) -> None:
        self.engine: Engine = create_engine(f"sqlite:///{folder / 'books.db'}", connect_args={"timeout": 60})
        event.listen(self.engine, "connect", _by_hand)
        event.listen(self.engine, "begin", _begin_immediate)
        SQLModel.metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            for statement in statements("sqlite"):
                connection.exec_driver_sql(statement)

    @contextmanager
    def write(self) -> Iterator[Session]:
        with Session(self.engine) as session, session.begin():
            yield session

    def execute(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def claim(self, about: Claim, *, now: datetime = START) -> Outcome:
        with self.write() as session:
            return record_claim(session, about, now=now)

    def verify(
        self,
        about: Claim,
        *,
        now: datetime = START + HOUR,
        tags: tuple[str, ...] = (),
        contract_: SignedContract | None = None,
        opened_at: datetime = START - HOUR,
        **changes: Any,
    ) -> Outcome:
        with self.write() as session:
            return record_verdict(
                session,
                about,
                verdict(about, contract_, **changes),
                contract_ or contract(),
                ticket_opened_at=opened_at,
                ticket_tags=tags,
                now=now,
            )

    def settle(
        self,
        outcome_id: str,
        *,
        now: datetime = START + HOUR + 3 * DAY,
        finding: Finding = Finding.PASSED,
        tags: tuple[str, ...] = (),
    ) -> Outcome:
        with self.write() as session:
            return settle(
                session,
                tenant=TENANT,
                outcome_id=outcome_id,
                still_stands=looked(finding),
                ticket_tags=tags,
                now=now,
            )

    def settled(self, about: Claim) -> Outcome:
        """From claim to charge."""
        self.claim(about)
        self.verify(about)
        return self.settle(about.id)

    def close(self) -> None:
        self.engine.dispose()


def _by_hand(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous = OFF")


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
