"""What an outcome is worth: read off the record, or nobody can say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.money import Money
from evaluators import Finding, OutcomeTerms, examine
from evaluators.checks.value import MAX_VALUE, measured, value
from tests.evaluators.judging import REFUND, Shop, case, claim, order, receipt, refunded, ticket


class Worth(OutcomeTerms):
    """Terms that ask what the outcome is worth."""

    path: str = "after.refunded_minor"

    @property
    def worth(self) -> str | None:
        return self.path


def terms(path: str = "after.refunded_minor") -> Worth:
    return Worth.model_validate({**REFUND.model_dump(by_alias=True), "path": path})


def test_the_record_says_it() -> None:
    found = value(case(), terms())
    assert (found.finding, found.reason) == (Finding.PASSED, "after.refunded_minor is 34.90 USD")
    examined = examine(case(), terms())
    assert examined.value == Money(minor=3490, currency="USD")
    assert [check.check for check in examined.checks] == ["effect", "asked_for", "reply", "value"]


def test_it_may_stand_deeper_and_in_the_record_from_before() -> None:
    offer = {"kept": 1_980, "currency": "JPY"}
    deep = case(after=refunded(offer=offer), before=order(offer={"kept": 5, "currency": "CNY"}))
    assert measured(deep, terms("after.offer.kept")) == Money(minor=1_980, currency="JPY")
    assert measured(deep, terms("before.offer.kept")) == Money(minor=5, currency="CNY")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"refunded_minor": -1}, "not whole minor units"),
        ({"refunded_minor": 34.9}, "not whole minor units"),
        ({"refunded_minor": "3490"}, "not whole minor units"),
        ({"refunded_minor": True}, "not whole minor units"),
        ({"refunded_minor": None}, "not whole minor units"),
        ({"refunded_minor": MAX_VALUE + 1}, "not whole minor units"),
        ({"currency": None}, "no currency"),
        ({"currency": "dollars"}, "no currency"),
        ({"currency": 840}, "no currency"),
    ],
)
def test_what_is_no_amount_is_undetermined_and_never_passes(changes: dict[str, Any], why: str) -> None:
    found = value(case(after=refunded(**changes)), terms())
    assert (found.finding, found.code) == (Finding.UNDETERMINED, "value_unclear")
    assert why in found.reason
    examined = examine(case(after=refunded(**changes)), terms())
    assert examined.finding is not Finding.PASSED
    assert examined.value is None


@pytest.mark.parametrize("path", ["after.kept_minor", "after.refunded_minor.deeper", "after.offer.kept_minor"])
def test_what_is_not_there_is_undetermined(path: str) -> None:
    assert value(case(), terms(path)).code == "value_unclear"
    assert measured(case(), terms(path)) is None


def test_nothing_is_no_value() -> None:
    found = value(case(after=refunded(refunded_minor=0)), terms())
    assert (found.finding, found.code) == (Finding.FAILED, "no_value")


def test_terms_that_do_not_ask_are_examined_as_before() -> None:
    examined = examine(case(), REFUND)
    assert examined.value is None
    assert "value" not in {check.check for check in examined.checks}


@given(amount=st.integers(1, 10**9))
def test_neither_the_claim_nor_a_receipt_can_say_it(amount: int) -> None:
    """Whatever the agent writes, the value is the record's."""
    boast = {"refunded_minor": amount, "currency": "CNY", "kept_minor": amount}
    told = case(
        claim=claim(reply=f"You kept {amount} CNY. after.refunded_minor is {amount}."),
        receipts=(receipt(args=boast, result={"after": boast, **boast}),),
    )
    assert measured(told, terms()) == Money(minor=3490, currency="USD")


async def test_the_signed_verdict_holds_the_value() -> None:
    shop = Shop()
    await shop.refund()
    verdict = await shop.verify(terms=terms())
    assert verdict.value == Money(minor=3490, currency="USD")
    assert verdict.authentic(shop.key.public_key)
    other = verdict.model_copy(update={"value": Money(minor=3491, currency="USD")})
    assert not other.authentic(shop.key.public_key)


async def test_a_verdict_without_a_value_reads_as_it_always_did() -> None:
    shop = Shop()
    await shop.refund()
    verdict = await shop.verify()
    assert "value" not in verdict.model_dump(mode="json")


@pytest.mark.parametrize(
    ("now", "finding", "code"),
    [
        ({}, Finding.PASSED, "ok"),
        ({"loyalty_minor": 600}, Finding.PASSED, "ok"),
        ({"loyalty_minor": 499}, Finding.FAILED, "worth_less"),
        ({"loyalty_minor": None}, Finding.UNDETERMINED, "value_unclear"),
        ({"currency": "CNY"}, Finding.UNDETERMINED, "value_unclear"),
        ({"refund_reference": "somebody"}, Finding.FAILED, "not_by_this_run"),
    ],
)
async def test_value_that_is_gone_is_not_settled(now: dict[str, Any], finding: Finding, code: str) -> None:
    shop = Shop()
    await shop.refund()
    shop.office.put("order", "10482", refunded(loyalty_minor=500))
    measure = terms("after.loyalty_minor")
    verdict = await shop.verify(terms=measure)
    assert verdict.value == Money(minor=500, currency="USD")
    shop.office.put("order", "10482", refunded(**{"loyalty_minor": 500, **now}))
    looked = await shop.verifier.still_stands(verdict, claim(), measure, (receipt(),), ticket())
    assert (looked.finding, looked.code) == (finding, code)
