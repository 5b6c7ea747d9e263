"""The requester's language, among those the desk answers in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner import detect_language

DESK = {"en", "de", "zh"}


@pytest.mark.parametrize(
    "text, language",
    [
        ("Hello, where is my order and when will it arrive?", "en"),
        ("Hallo, wo ist meine Bestellung? Bitte um Antwort.", "de"),
        ("我的订单在哪里？", "zh"),
        ("我的 iPhone 订单 ABC-123 还没有到", "zh"),
        ("Order 10001", "en"),
        ("", "en"),
        ("12345", "en"),
        ("\x00\x1b", "en"),
        ("これはペンです", "en"),
        ("Bonjour, où est ma commande?", "en"),
    ],
)
def test_it_is_told_by_the_words(text: str, language: str) -> None:
    assert detect_language(text, DESK) == language


def test_only_languages_of_the_desk_are_told() -> None:
    assert detect_language("我的订单在哪里？", {"en", "de"}) == "en"
    assert detect_language("Hallo, wo ist meine Bestellung?", {"en"}) == "en"
    assert detect_language("Hallo, wo ist meine Bestellung?", {"de"}, default="de") == "de"
    assert detect_language("hello the and is", set(), default="xx") == "xx"


@given(st.text(), st.sets(st.sampled_from(["en", "de", "fr", "es", "zh", "xx"])))
def test_the_answer_is_one_of_them_or_the_default(text: str, among: set[str]) -> None:
    assert detect_language(text, among, default="en") in among | {"en"}
