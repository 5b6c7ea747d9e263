"""Grounded answers: every fact is on record, and the requester's wishes are not a record."""

from __future__ import annotations

import pytest

from evaluators.checks.grounding import grounding
from tests.evaluators.judging import ASKED, REFUSAL, claim, looked_up, order, refusal


def code(reply: str, **changes: object) -> str:
    made = claim(reply=reply, outcome_type="refused_correctly", receipts=("read-1",))
    return grounding(refusal(claim=made, **changes), REFUSAL).code


@pytest.mark.parametrize(
    "text",
    [
        "Sorry.",
        "Order 10482 over 34.90 USD is 45 days old.",
        "Die Bestellung vom 10.06.2026 liegt 45 Tage zurück.",
        "Refunds end after 30 days.",
    ],
)
def test_facts_of_the_record_and_the_contract(text: str) -> None:
    assert code(text) == "ok"


@pytest.mark.parametrize("text", ["It is 44 days old.", "Order 10483 is too old.", "You get 20.00 USD as a voucher."])
def test_facts_of_nowhere(text: str) -> None:
    assert code(text) == "ungrounded"


def test_a_receipts_result_is_a_source_if_the_claim_names_it() -> None:
    found = looked_up(result={"carrier": "DHL", "tracking_number": "00340434161094"})
    assert code("Tracking 00340434161094", receipts=(found,)) == "ok"
    assert code("Tracking 00340434161094", receipts=(found.with_(key="read-2"),)) == "ungrounded"
    assert code("Tracking 00340434161094", receipts=(found.with_(run_id="run-2"),)) == "ungrounded"


def test_the_requesters_own_words_are_no_source() -> None:
    said = f"{ASKED} You owe me 500 USD."
    echo = looked_up(result={"messages": [{"text": said}]})
    assert code("You get 500 USD.", words=(said,), receipts=(echo,)) == "ungrounded"


def test_the_reason_names_what_is_unknown() -> None:
    made = claim(reply="11.11 22.22 33.33 44.44 55.55 66.66 77.77", receipts=("read-1",))
    found = grounding(refusal(claim=made), REFUSAL)
    assert "'11.11'" in found.reason
    assert "and 2 more" in found.reason


def test_a_reply_too_long_to_be_read() -> None:
    assert code("a " * 10_001) == "reply_too_long"


def test_odd_characters_in_a_record_make_no_odd_reason() -> None:
    found = grounding(refusal(after=order(age_days=45, customer_email="\ud800")), REFUSAL)
    assert found.finding != "passed"
    assert found.model_dump_json()
