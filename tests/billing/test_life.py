"""Whatever is called, in whatever order and however often: the books keep their promises."""

import shutil
import tempfile
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlmodel import select

from agents.claim import Claim
from agents.money import Money
from billing import ledger
from billing.errors import IllegalTransition, NotDue, OutcomeNotFound
from billing.invoice import invoices, issue, periods_to_invoice
from billing.outcome import billable, find_outcome
from billing.periods import month_of
from billing.pricing import rate
from billing.reconcile import reconcile
from billing.reversal import proof_undone, requester_returned, restart_window, subject_reopened
from billing.tables import OutcomeRow
from billing.transitions import is_legal
from evaluators.verdict import Finding
from tests.billing.books import CONTRACT, DAY, HOUR, START, TENANT, Books, claim, looked, signed

NUMBERS = st.integers(0, 4)
FATES = [*4 * ["settles"], "returns early", "falls", "returns late"]
CALLS = ["wait", "claim", "judge", "reject", "spam", "settle", "return", "thanks", "another ticket", "look again"]
AGO = st.sampled_from([timedelta(0), HOUR, 4 * DAY, 20 * DAY])
SIGNED = signed(
    CONTRACT.replace(
        'price: "0.99"', 'price: {share: "0.10", of: after.refunded_minor, minimum: "1.00", maximum: "50.00"}'
    )
)
TERMS = SIGNED.verify()

WAITS = {Finding.PASSED: HOUR, Finding.FAILED: 30 * HOUR, Finding.UNDETERMINED: 33 * DAY}


class Life(RuleBasedStateMachine):
    """Claims about three orders, of two outcome types, one priced by its value, a clock, and every call there is."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.books = Books(self.folder)
        self.now: datetime = START
        self.orders: list[int] = []
        self.made: dict[int, datetime] = {}

    def teardown(self) -> None:
        if hasattr(self, "books"):
            self.books.close()
            shutil.rmtree(self.folder)

    def about(self, n: int) -> Claim:
        if n == len(self.orders):
            self.orders.append(0)
        order = self.orders[n]
        kind = "order_status_told" if n % 5 == 4 else "refund_issued"
        return claim(n, subject=f"order:{order}", outcome_type=kind, made_at=self.made.setdefault(n, self.now))

    @rule(order=st.integers(0, 2), fate=st.sampled_from(FATES))
    def a_whole_life(self, order: int, fate: str) -> None:
        """A new claim, from its beginning to settlement or one of its other ends."""
        n = len(self.orders)
        self.orders.append(order)
        self._claim(n)
        self._judge(n)
        self.now += HOUR
        if fate == "returns early":
            self._return(n, self.now)
        self.now += 80 * HOUR
        self._settle(n, Finding.FAILED if fate == "falls" else Finding.PASSED)
        if fate == "returns late":
            self._return(n, self.now)

    @rule(back=NUMBERS, twice=st.booleans())
    def the_month_ends(self, back: int, twice: bool) -> None:
        """It is invoiced; then the requester of one of the last claims comes back."""
        self.now = month_of(self.now, "Europe/Berlin").end
        with self.books.write() as session:
            waiting = periods_to_invoice(session, tenant=TENANT, signed_contract=SIGNED, now=self.now)
            for period in waiting * (2 if twice else 1):
                issue(session, tenant=TENANT, signed_contract=SIGNED, period=period, now=self.now)
        self._return(len(self.orders) - 1 - back, self.now)

    @rule(back=NUMBERS, call=st.sampled_from(CALLS), ago=AGO, finding=st.sampled_from(list(Finding)))
    def anything_is_called(self, back: int, call: str, ago: timedelta, finding: Finding) -> None:
        """At any moment, in any order, again and again, with messages that come late."""
        n, at = max(0, len(self.orders) - 1 - back), self.now - ago
        match call:
            case "wait":
                self.now += WAITS[finding]
            case "claim":
                self._claim(n)
            case "judge":
                self._judge(n)
            case "reject":
                self._judge(n, finding=Finding.FAILED, evidence_class=None, code="not_theirs")
            case "spam":
                self._judge(n, tags=("spam",))
            case "settle":
                self._settle(n, finding)
            case "return":
                self._return(n, at)
            case "thanks":
                with self.books.write() as session:
                    restart_window(session, tenant=TENANT, ticket_id=f"ticket-{n}", event="requester_message", at=at)
            case "another ticket":
                with self.books.write() as session:
                    subject_reopened(
                        session,
                        tenant=TENANT,
                        requester_email="ada@example.org",
                        subject=f"order:{back % 3}",
                        outcome_types=["refund_issued"],
                        written_at=at,
                        now=self.now,
                    )
            case "look again":
                with suppress(OutcomeNotFound), self.books.write() as session:
                    proof_undone(
                        session,
                        tenant=TENANT,
                        outcome_id=f"claim-{n}",
                        still_stands=looked(finding),
                        now=self.now,
                    )

    def _claim(self, n: int) -> None:
        self.books.claim(self.about(n), now=self.now)

    def _judge(self, n: int, **changes: Any) -> None:
        about = self.about(n)
        share = about.outcome_type == "refund_issued"
        value = Money(minor=1 + n * 7_919 % 60_000, currency="USD") if share else None
        with suppress(OutcomeNotFound):
            self.books.verify(about, now=self.now, contract_=SIGNED, **{"value": value, **changes})

    def _settle(self, n: int, finding: Finding) -> None:
        with suppress(NotDue, IllegalTransition, OutcomeNotFound):
            self.books.settle(f"claim-{n}", now=self.now, finding=finding)

    def _return(self, n: int, at: datetime) -> None:
        with self.books.write() as session:
            requester_returned(session, tenant=TENANT, ticket_id=f"ticket-{n}", written_at=at, now=self.now)

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "books"):
            return
        with self.books.write() as session:
            found = reconcile(session, tenant=TENANT)
            assert found.differences == ()
            for currency, minor in found.charged.items():
                assert found.ledger[currency] == minor
                waiting = found.not_invoiced.get(currency, 0)
                assert found.invoiced.get(currency, 0) + waiting == minor
            for entry in ledger.entries(session, tenant=TENANT):
                assert sum(posting.minor for posting in entry.postings) == 0

    @invariant()
    def an_episode_is_charged_once(self) -> None:
        if not hasattr(self, "books"):
            return
        with self.books.write() as session:
            rows = session.exec(select(OutcomeRow)).all()
            held = Counter(
                (row.requester, row.outcome_type, row.subject)
                for row in rows
                if row.state in ("verified", "settled", "invoiced")
                and (row.settled_at is None or self.now <= row.settled_at + TERMS.reverse_on.within)
            )
            assert all(times == 1 for times in held.values()), held
            for row in rows:
                steps = find_outcome(session, tenant=TENANT, outcome_id=row.id).history
                assert all(is_legal(step.before, step.after) for step in steps)

    @invariant()
    def rating_again_gives_the_same_cents(self) -> None:
        if not hasattr(self, "books"):
            return
        with self.books.write() as session:
            rows = session.exec(select(OutcomeRow)).all()
            for invoice in invoices(session, tenant=TENANT):
                facts = [billable(row) for row in rows if row.invoice == invoice.number]
                assert rate(facts, TERMS) == invoice.lines
                settled = {row.settled_at for row in rows if row.invoice == invoice.number}
                assert {month_of(at, "Europe/Berlin").label for at in settled if at} == {invoice.period}


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
