"""Words as they are looked up: inflection, accents, compounds, and languages without spaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.knowledge.words import tokens


@pytest.mark.parametrize(
    "forms",
    [
        ("return", "Returns", "returned", "RETURNING"),
        ("refund", "refunds", "refunded"),
        ("ship", "ships", "shipped", "shipping"),
        ("policy", "policies"),
        ("mug", "mugs"),
        ("Rückgabe", "Rückgaben", "RÜCKGABE", "Rückgabefrist"),
        ("Bestellung", "Bestellungen", "bestellt"),
        ("café", "cafe"),
        ("１０", "10"),
    ],
)
def test_forms_of_one_word_are_one_word(forms: tuple[str, ...]) -> None:
    assert len({tuple(tokens(form)) for form in forms}) == 1
    assert len(tokens(forms[0])) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("refund", "return"), ("contract", "contact"), ("退款", "退货"), ("1", "10")]
)
def test_other_words_stay_other_words(one: str, other: str) -> None:
    assert tokens(one) != tokens(other)


def test_words_that_every_question_has_do_not_count() -> None:
    assert tokens("Hello, how can I do this? Wie kann ich das? 请问怎么可以") == []


def test_a_chinese_word_of_two_characters_is_found_in_any_text_that_holds_it() -> None:
    assert set(tokens("退款")) <= set(tokens("请问如何申请退款？"))
    assert tokens("款") == ["款"]
    assert set(tokens("退款 refund")) == {"退款", "refund"}


@given(st.text(max_size=200))
def test_every_word_can_be_written_into_a_query_of_either_database(text: str) -> None:
    for word in tokens(text):
        assert word
        assert word.isprintable()
        assert not set(word) & set("'\"\\ :*()|&!-")


@given(st.text(max_size=100))
def test_looking_up_what_was_kept_finds_it(text: str) -> None:
    assert tokens(text) == tokens(text.upper().lower()) or not text.isascii()
