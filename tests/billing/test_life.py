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
from billing import ledger
from billing.errors import IllegalTransition, NotDue, OutcomeNotFound
from billing.invoice import invoices, issue, periods_to_invoice
from billing.outcome import find_outcome, settle
from billing.periods import month_of
from billing.pricing import Billable, rate
from billing.reconcile import reconcile
from billing.reversal import proof_undone, requester_returned, restart_window, subject_reopened
from billing.tables import OutcomeRow
from billing.transitions import is_legal
from evaluators.verdict import Finding
from tests.billing.books import DAY, HOUR, START, TENANT, Books, claim, contract, looked

NUMBERS = st.integers(0, 9)
AGO = st.sampled_from([timedelta(0), HOUR, 4 * DAY, 20 * DAY])
TERMS = contract().verify()


class Life(RuleBasedStateMachine):
    """Ten claims about two orders, of two outcome types, a clock, and every call there is."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.books = Books(self.folder)
        self.now: datetime = START
        self.made: dict[int, datetime] = {}

    def teardown(self) -> None:
        if hasattr(self, "books"):
            self.books.close()
            shutil.rmtree(self.folder)

    def about(self, n: int) -> Claim:
        kind = "order_status_told" if n == 9 else "refund_issued"
        at = self.made.setdefault(n, self.now)
        return claim(n, subject=f"order:{n % 2}", outcome_type=kind, made_at=at)

    @rule(hours=st.sampled_from([1, 30, 80, 200, 800]))
    def time_passes(self, hours: int) -> None:
        self.now += hours * HOUR

    @rule(n=NUMBERS, fate=st.sampled_from(["returns early", "falls", "settles", "returns late", "returns invoiced"]))
    def a_whole_life(self, n: int, fate: str) -> None:
        self.claimed(n)
        self.judged(n, True, ())
        self.now += HOUR
        if fate == "returns early":
            self.comes_back(n, timedelta(0))
        self.now += 80 * HOUR
        self.settlement(n, Finding.FAILED if fate == "falls" else Finding.PASSED)
        if fate == "returns invoiced":
            self.the_month_ends(twice=False)
        if fate.startswith("returns"):
            self.comes_back(n, timedelta(0))

    @rule(twice=st.booleans())
    def the_month_ends(self, twice: bool) -> None:
        self.now = month_of(self.now, "Europe/Berlin").end
        self.months_are_invoiced(twice)

    @rule(n=NUMBERS)
    def claimed(self, n: int) -> None:
        self.books.claim(self.about(n), now=self.now)

    @rule(
        n=NUMBERS,
        passed=st.sampled_from([True, True, True, False]),
        spam=st.sampled_from([(), (), ("spam",)]),
    )
    def judged(self, n: int, passed: bool, spam: tuple[str, ...]) -> None:
        failed: dict[str, Any] = {"finding": Finding.FAILED, "evidence_class": None, "code": "not_theirs"}
        with suppress(OutcomeNotFound):
            self.books.verify(self.about(n), now=self.now, tags=spam, **({} if passed else failed))

    @rule(n=NUMBERS, finding=st.sampled_from([Finding.PASSED, Finding.PASSED, *Finding]))
    def settlement(self, n: int, finding: Finding) -> None:
        try:
            with self.books.write() as session:
                settle(
                    session,
                    tenant=TENANT,
                    outcome_id=f"claim-{n}",
                    still_stands=looked(finding),
                    ticket_tags=(),
                    now=self.now,
                )
        except (NotDue, IllegalTransition, OutcomeNotFound):
            pass

    @rule(n=NUMBERS, ago=AGO)
    def comes_back(self, n: int, ago: timedelta) -> None:
        with self.books.write() as session:
            requester_returned(session, tenant=TENANT, ticket_id=f"ticket-{n}", written_at=self.now - ago, now=self.now)

    @rule(n=NUMBERS, ago=AGO)
    def opens_another_ticket(self, n: int, ago: timedelta) -> None:
        with self.books.write() as session:
            subject_reopened(
                session,
                tenant=TENANT,
                requester_email="ada@example.org",
                subject=f"order:{n % 2}",
                written_at=self.now - ago,
                now=self.now,
            )

    @rule(n=NUMBERS, ago=AGO)
    def says_thanks(self, n: int, ago: timedelta) -> None:
        with self.books.write() as session:
            restart_window(
                session, tenant=TENANT, ticket_id=f"ticket-{n}", event="requester_message", at=self.now - ago
            )

    @rule(n=NUMBERS, finding=st.sampled_from(list(Finding)))
    def proof_is_looked_at_again(self, n: int, finding: Finding) -> None:
        try:
            with self.books.write() as session:
                proof_undone(
                    session,
                    tenant=TENANT,
                    outcome_id=f"claim-{n}",
                    still_stands=looked(finding),
                    now=self.now,
                )
        except OutcomeNotFound:
            pass

    @rule(twice=st.booleans())
    def months_are_invoiced(self, twice: bool) -> None:
        with self.books.write() as session:
            waiting = periods_to_invoice(session, tenant=TENANT, signed_contract=contract(), now=self.now)
            for period in waiting * (2 if twice else 1):
                issue(session, tenant=TENANT, signed_contract=contract(), period=period, now=self.now)

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
                facts = [
                    Billable(outcome_id=row.id, outcome_type=row.outcome_type)
                    for row in rows
                    if row.invoice == invoice.number
                ]
                assert rate(facts, TERMS) == invoice.lines
                settled = {row.settled_at for row in rows if row.invoice == invoice.number}
                assert {month_of(at, "Europe/Berlin").label for at in settled if at} == {invoice.period}


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
