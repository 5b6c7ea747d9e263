"""Asked for: only the requester's own words count, and they must name the very thing."""

from __future__ import annotations

import pytest

from evaluators.checks.asked_for import asked_for
from tests.evaluators.judging import REFUND, case, claim


def code(*words: str, subject: str = "order:10482") -> str:
    return asked_for(case(words=words, claim=claim(subject=subject)), REFUND).code


@pytest.mark.parametrize(
    "words",
    [
        ("I want a refund for order #10482.",),
        ("REFUND 10482",),
        ("Ich will mein Geld\n  zurück (Bestellung 10482)!",),
        ("订单10482碎了，我要退款",),
        ("\uff32\uff25\uff26\uff35\uff2e\uff24 \uff11\uff10\uff14\uff18\uff12",),
        ("It is about order 10482", "a refund, please"),
        ("refund orders 10481, 10482, 10483",),
        ("refund 10482. Thanks",),
        ("refund order-10482",),
    ],
)
def test_asked_in_any_words_of_theirs(words: tuple[str, ...]) -> None:
    assert code(*words) == "ok"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "not_asked_for"),
        (("Where is 10482?",), "not_asked_for"),
        (("> I want a refund for 10482\nthis was somebody else",), "not_asked_for"),
        (("  > refund\n\uff1e refund\norder 10482",), "not_asked_for"),
        (("refund please\n> order 10482",), "subject_not_named"),
        (("refund please",), "subject_not_named"),
        (("refund 104820 or 110482 or A10482",), "subject_not_named"),
        (("refund 10482-7",), "subject_not_named"),
        (("refund 7-10482",), "subject_not_named"),
        (("refund me 10482.50 EUR",), "subject_not_named"),
        (("refund me 10482,5 EUR",), "subject_not_named"),
        (("refund, write to 10482@example.com or a@10482",), "subject_not_named"),
    ],
)
def test_not_asked(words: tuple[str, ...], expected: str) -> None:
    assert code(*words) == expected


def test_a_key_is_text_and_no_pattern() -> None:
    assert code("refund A-1", subject="order:A-1") == "ok"
    assert code("refund a_1", subject="order:A_1") == "ok"
    assert code("refund 10482", subject="order:1....") == "subject_not_named"


def test_an_empty_phrase_matches_nothing() -> None:
    terms = REFUND.model_copy(update={"asked": ("", "  ")})
    assert asked_for(case(), terms).code == "not_asked_for"


def test_words_beyond_the_bound_were_never_written() -> None:
    assert code("x" * 50_000, "refund 10482") == "not_asked_for"
    assert code(*["hm"] * 200, "refund 10482") == "not_asked_for"
    assert code("x" * 40_000, "refund 10482") == "ok"


@pytest.mark.parametrize(
    "words",
    [
        ("refund order 10482, but only 10 dollars of it",),
        ("refund order 10482", "Bitte nur \uff11\uff10 Euro."),
        ("Order 10482: half of the\nmoney back is fine. A refund, please",),
    ],
)
def test_less_was_asked_for(words: tuple[str, ...]) -> None:
    assert code(*words) == "asked_for_less"


def test_a_limit_that_was_kept_to_is_no_objection() -> None:
    """The receipt says 34.90 USD."""
    assert code("refund order 10482, but only 34,90 USD of it") == "ok"
