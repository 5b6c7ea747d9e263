"""Prices that are a share of value: from the record to the invoice, the same cents whoever computes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.documents import parse_document
from agents.errors import InvalidDocument
from agents.money import Money, exponent
from billing.contract import Contract, PricedOutcome, read_contract
from billing.credit_notes import list_credit_notes
from billing.errors import InvalidAmount, NotDue
from billing.invoice import issue
from billing.money import exact, total
from billing.periods import month
from billing.pricing import Billable, price, rate
from billing.reconcile import reconcile
from billing.reversal import requester_returned, restart_window
from billing.verify import Verification, verify_bundle
from evaluators.verdict import Verdict
from tests.billing.books import CONTRACT, DAY, EVALUATOR, HOUR, START, TENANT, Books, claim, signed
from tests.billing.bundles import ISSUED_AT, PINS, Shop
from tests.billing.test_verify import edit_lines, edit_one, rechain

SHARE = '{share: "0.10", of: after.refunded_minor, minimum: "1.00", maximum: "50.00"}'
PRICED = CONTRACT.replace('price: "0.99"', f"price: {SHARE}")
SIGNED = signed(PRICED)
TERMS = SIGNED.verify()
OCTOBER = month("2026-10", "Europe/Berlin")


def usd(minor: int) -> Money:
    return Money(minor=minor, currency="USD")


def refund(n: int, value: Money | None) -> Billable:
    return Billable(outcome_id=f"claim-{n}", outcome_type="refund_issued", value=value)


def terms_in(currency: str, share: str, least: Decimal, most: Decimal) -> Contract:
    text = PRICED.replace("currency: USD", f"currency: {currency}").replace('"0.99"', '"1"').replace('"0.29"', '"1"')
    text = text.replace(SHARE, f'{{share: "{share}", of: after.kept_minor, minimum: "{least}", maximum: "{most}"}}')
    return read_contract(parse_document(text, "share.yaml"))


@pytest.mark.parametrize(
    ("value", "costs"),
    [(34_900, 3_490), (1, 100), (999, 100), (1_005, 101), (1_004, 100), (500_000, 5_000), (10**15, 5_000)],
)
def test_a_share_is_rounded_and_held_between_its_bounds(value: int, costs: int) -> None:
    assert price("refund_issued", TERMS, value=usd(value)) == usd(costs)


@pytest.mark.parametrize("value", [None, Money(minor=34_900, currency="CNY"), usd(-1)])
def test_without_a_value_in_the_contracts_currency_there_is_no_price(value: Money | None) -> None:
    with pytest.raises(InvalidAmount, match="a share of a value in USD"):
        price("refund_issued", TERMS, value=value)


@given(
    currency=st.sampled_from(["CNY", "USD", "JPY", "KWD"]),
    basis_points=st.integers(1, 10_000),
    bounds=st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)),
    values=st.lists(st.integers(0, 10**9), max_size=12),
    data=st.data(),
)
def test_the_same_cents_whoever_rates_and_in_whatever_order(
    currency: str, basis_points: int, bounds: tuple[int, int], values: list[int], data: st.DataObject
) -> None:
    share = Decimal(basis_points) / 10_000
    least, most = (Money(minor=each, currency=currency).decimal for each in sorted(bounds))
    terms = terms_in(currency, f"{share:f}", least, most)
    facts = [refund(n, Money(minor=each, currency=currency)) for n, each in enumerate(values)]
    lines = rate(facts, terms)
    assert rate(data.draw(st.permutations(facts)), terms) == lines

    prices = {each.outcome_id: price(each.outcome_type, terms, value=each.value) for each in facts}
    for line in lines:
        assert all(prices[each] == line.unit for each in line.outcomes)
        assert line.amount.minor == line.unit.minor * line.quantity
    assert total((line.amount for line in lines), currency) == total(prices.values(), currency)
    assert sorted(each for line in lines for each in line.outcomes) == sorted(prices)
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    for value, costs in zip(values, prices.values(), strict=True):
        assert exact(least, currency).minor <= costs.minor <= exact(most, currency).minor
        wanted = Fraction(value) * Fraction(share)
        if exact(least, currency).minor < costs.minor < exact(most, currency).minor:
            assert abs(costs.minor - wanted) <= Fraction(1, 2), exponent(currency)


@pytest.mark.parametrize(
    ("right", "wrong", "field", "says"),
    [
        ('"0.10"', '"0"', "price.share", "above 0"),
        ('"0.10"', '"1.01"', "price.share", "at most 1"),
        ('"0.10"', '"a tenth"', "price.share", '"0.10"'),
        ("of: after.refunded_minor", "of: claim.amount", "price.of", "after.kept_minor"),
        ("of: after.refunded_minor", "of: after", "price.of", "after.kept_minor"),
        ("of: after.refunded_minor", 'of: "after.lines[0]"', "price.of", "after.kept_minor"),
        ("of: after.refunded_minor", 'of: "after.kept_minor * 2"', "price.of", "plain path"),
        ('minimum: "1.00"', 'minimum: "1.005"', "price.minimum", "finer than the minor unit"),
        ('maximum: "50.00"', 'maximum: "0.99"', "price.maximum", "less than minimum"),
        ('minimum: "1.00"', 'minimun: "1.00"', "price.minimun", "did you mean 'minimum'?"),
        (', maximum: "50.00"', "", "price.maximum", "is required"),
        (SHARE, SHARE + "\n    settle: {after: 30d, no_later_than: 20d}", "settle.no_later_than", "shorter than"),
    ],
)
def test_bad_terms_name_the_field(right: str, wrong: str, field: str, says: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        read_contract(parse_document(PRICED.replace(right, wrong, 1), "share.yaml"))
    found = next(each for each in caught.value.problems if each.field == f"outcomes.refund_issued.{field}")
    assert says in found.message
    assert found.line is not None


def test_an_answer_has_no_record_from_before_to_take_a_share_of() -> None:
    text = CONTRACT.replace('price: "0.29"', f"price: {SHARE.replace('after.', 'before.')}")
    with pytest.raises(InvalidDocument, match=r"read from after\."):
        read_contract(parse_document(text, "share.yaml"))


def test_the_outcome_says_what_is_to_be_measured() -> None:
    assert TERMS.outcomes["refund_issued"].worth == "after.refunded_minor"
    assert TERMS.outcomes["order_status_told"].worth is None
    assert isinstance(TERMS.outcomes["refund_issued"], PricedOutcome)


@pytest.mark.parametrize("value", [None, Money(minor=34_900, currency="CNY")])
def test_a_verdict_without_a_fit_value_is_not_charged(books: Books, value: Money | None) -> None:
    about = claim()
    books.claim(about)
    found = books.verify(about, contract_=SIGNED, value=value)
    assert (found.state, found.code, found.price) == ("rejected", "value_in_another_currency", None)


def test_each_value_has_its_line_and_its_credit(books: Books) -> None:
    """Two outcomes of one price share a line; what is given back is what was charged."""
    values = {1: 34_900, 2: 12_345, 3: 34_900, 4: 10}
    for n, value in values.items():
        about = claim(n)
        books.claim(about)
        assert books.verify(about, contract_=SIGNED, value=usd(value)).state == "verified"
        assert books.settle(about.id).state == "settled"
    back = START + 5 * DAY
    with books.write() as session:
        requester_returned(session, tenant=TENANT, ticket_id="ticket-4", written_at=back, now=back)
        made = issue(session, tenant=TENANT, signed_contract=SIGNED, period=OCTOBER, now=ISSUED_AT)
        assert made is not None
        assert [(line.quantity, line.unit, line.amount) for line in made.lines] == [
            (1, usd(1_235), usd(1_235)),
            (2, usd(3_490), usd(6_980)),
        ]
        assert {line.basis for line in made.lines} == {"10 % of after.refunded_minor, 1.00 to 50.00"}
        requester_returned(session, tenant=TENANT, ticket_id="ticket-2", written_at=ISSUED_AT, now=ISSUED_AT)
        note = list_credit_notes(session, tenant=TENANT)[0]
        assert (note.line, note.outcome_id, note.amount) == (1, "claim-2", usd(1_235))
        assert reconcile(session, tenant=TENANT).differences == ()


def test_an_outcome_may_have_a_window_of_its_own(books: Books) -> None:
    own = "\n    settle: {after: 30d, restarts_on: [requester_message], no_later_than: 45d}"
    slow = signed(PRICED.replace(SHARE, SHARE + own))
    refunded, told = claim(1), claim(2, outcome_type="order_status_told")
    for about, value in ((refunded, usd(34_900)), (told, None)):
        books.claim(about)
        books.verify(about, contract_=slow, value=value)
    verified = START + HOUR
    assert books.settle(told.id, now=verified + 3 * DAY).state == "settled"
    with pytest.raises(NotDue):
        books.settle(refunded.id, now=verified + 29 * DAY)
    at = verified + 20 * DAY
    with books.write() as session:
        later = restart_window(session, tenant=TENANT, ticket_id="ticket-1", event="requester_message", at=at)
    assert [outcome.settle_at for outcome in later] == [verified + 45 * DAY]
    assert books.settle(refunded.id, now=verified + 45 * DAY).state == "settled"


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Path]:
    """The bundle of an invoice over two refunds of different value, judged by the real evaluators."""
    books = Books(tmp_path)
    shop = Shop(SIGNED)
    for n, paid in ((1, 34_900), (2, 12_345)):
        shop.bring(books, shop.refund(n, paid), START + 5 * DAY)
    with books.write() as session:
        issue(session, tenant=TENANT, signed_contract=SIGNED, period=OCTOBER, now=ISSUED_AT)
    yield shop.bundle(books, tmp_path)
    books.close()


def said(found: Verification) -> str:
    return "\n".join(f"{check.name}: {problem}" for check in found.checks for problem in check.problems)


def test_anybody_computes_the_same_price_from_the_evidence(bundle: Path) -> None:
    found = verify_bundle(bundle, **PINS)
    assert said(found) == ""
    assert found.invoice is not None
    assert found.invoice.total == usd(3_490 + 1_235)


def test_a_value_that_was_altered_is_found(bundle: Path) -> None:
    edit_lines(bundle, "verdicts.jsonl", lambda rows: rows[0]["value"].update(minor=50_000))
    problems = said(verify_bundle(bundle, **PINS))
    assert "verdicts: verdict" in problems
    assert "not signed by the evaluators' key" in problems
    assert "charges: outcome claim-1: its price is 34.90 USD, the contract's 50.00 USD" in problems


def test_evaluators_who_sign_another_value_than_the_record_has_are_found(bundle: Path) -> None:
    """Everything fits: value, signature, price, invoice and ledger. Only the record from back then does not."""

    def lie(rows: list[dict[str, Any]]) -> None:
        rows[0]["value"]["minor"] = 40_000
        unsigned = Verdict.model_validate({**rows[0], "signature": None})
        rows[0]["signature"] = EVALUATOR.sign(unsigned).model_dump(mode="json")

    def priced(rows: list[dict[str, Any]]) -> None:
        rows[0]["price"]["minor"] = 4_000

    def charged(invoice: dict[str, Any]) -> None:
        for field in ("unit", "amount"):
            invoice["lines"][1][field]["minor"] = 4_000
        invoice["total"]["minor"] = 4_000 + 1_235

    def posted(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            for posting in row["postings"]:
                side = 1 if posting["minor"] > 0 else -1
                new = {3_490: 4_000, 3_490 + 1_235: 4_000 + 1_235}.get(abs(posting["minor"]), abs(posting["minor"]))
                posting["minor"] = side * new
        rechain(rows)

    edit_lines(bundle, "verdicts.jsonl", lie)
    edit_lines(bundle, "outcomes.jsonl", priced)
    edit_one(bundle, "invoice.json", charged)
    edit_lines(bundle, "ledger.jsonl", posted)
    assert json.loads((bundle / "invoice.json").read_text())["total"]["minor"] == 5_235
    problems = said(verify_bundle(bundle, **PINS))
    assert "says a value of 400.00 USD; on its evidence it is 349.00 USD" in problems
    assert problems.count("\n") == 0, problems
