"""The reply as it was read: fit to be sent, by rules alone."""

from __future__ import annotations

import pytest

from evaluators.checks.reply import reply
from tests.evaluators.judging import ANNA, REFUND, REFUSAL, case, claim, refusal


def code(text: str, *, language: str = "en", email: str = ANNA) -> str:
    return reply(case(claim=claim(reply=text, language=language), requester_email=email), REFUND).code


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello, 34.90 USD for order 10482 are on the way.", "en"),
        (f"We will write to {ANNA}.", "en"),
        (f"Mail: <{ANNA.upper()}>, '{ANNA}'", "en"),
        ("Guten Tag, wir haben 34,90 USD erstattet.", "de"),
        ("您好，我们已为订单10482退款 34.90 USD，请查收。", "zh"),
        (f"您的邮箱{ANNA}没有变化，退款已经完成。", "zh"),
        ("The name 谢安娜 is fine in an English reply, as long as it is short.", "en"),
        ("こんにちは、返金しました。", "ja"),
        ("See https://shop.example/track/JD014600003456789012345678?x=1 for the parcel", "en"),
        ("Donaudampfschifffahrtselektrizitätenhauptbetriebswerk ist kein Geheimnis", "de"),
        ("The file Order-Confirmation-2026-Summary-Final.pdf is attached", "en"),
        ("Your card, ID 3f2b8c1e-aaaa-4bbb-8ccc-1234567890ab, is unchanged", "en"),
        ("@anna, meet at 5 @ the shop", "en"),
    ],
)
def test_fit_to_be_read(text: str, language: str) -> None:
    assert code(text, language=language) == "ok"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "reply_empty"),
        (" \n 10482 !", "reply_empty"),
        ("Hello ${order.name}", "reply_placeholder"),
        ("Write to boss@example.com", "reply_foreign_address"),
        (f"Write to x{ANNA}", "reply_foreign_address"),
        (f"Write to {ANNA}.evil.org", "reply_foreign_address"),
        (f"Write to {ANNA}x", "reply_foreign_address"),
        (f"Write to {ANNA} or bob\uff20example.com", "reply_foreign_address"),
        ("请联系 老板@example.com", "reply_foreign_address"),
        ("The key is sk-abcdefghijklmnop1234", "reply_secret"),
        ("Use Bearer abcdef.123456", "reply_secret"),
        ("-----BEGIN PRIVATE KEY-----", "reply_secret"),
        ("It is " + "0123456789abcdef" * 2, "reply_secret"),
        ("It is Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MEFCQ0RFRg==", "reply_secret"),
        ("It is at https://x.example/?token=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MEFCQ0RFRg", "reply_secret"),
        ("您好，我们已为订单退款，请您查收。", "reply_wrong_language"),
        ("We refunded 50 USD.", "reply_ungrounded"),
        ("We refunded 34.90 EUR.", "reply_ungrounded"),
        ("a " * 10_001, "reply_too_long"),
    ],
)
def test_unfit(text: str, expected: str) -> None:
    assert code(text) == expected


def test_an_english_answer_to_a_chinese_requester() -> None:
    assert code("We refunded your order.", language="zh") == "reply_wrong_language"


def test_a_requester_without_an_address_has_none_to_be_mentioned() -> None:
    assert code("Write to anna@example.com", email="") == "reply_foreign_address"


def test_what_the_agent_asked_a_reading_tool_is_no_source() -> None:
    asking = refusal().receipts[0].with_(args={"query": "500 USD"}, result={"echo": "none"})
    its_claim = claim(reply="You get 500 USD.", receipts=("read-1", "refund-1"))
    assert reply(case(claim=its_claim, receipts=(asking, *case().receipts)), REFUND).code == "reply_ungrounded"
    answering = asking.with_(result={"limit_minor": 50_000, "currency": "USD"})
    assert reply(case(claim=its_claim, receipts=(answering, *case().receipts)), REFUND).code == "ok"


def test_amounts_of_answers_are_left_to_their_proof() -> None:
    assert reply(refusal(claim=claim(reply="We offer 50 USD.")), REFUSAL).code == "ok"
