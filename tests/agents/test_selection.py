"""Selection and language: unsure rather than wrong, and quick on anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import Toolbox
from agents.documents import parse_document
from agents.planner import Procedure, ProcedureSelector, detect_language
from agents.planner.procedure import compile_procedure
from tests.agents.builders import REFUND, REPLIES, Shop

LIKE = {
    "refund": [
        "my mug arrived broken",
        "I want my money back",
        "die Vase kam zerbrochen an",
        "杯子收到时碎了，我要退款",
    ],
    "cancel": ["please cancel my order", "bitte stornieren Sie meine Bestellung", "请取消我的订单"],
    "address": ["please send it to another address", "neue Lieferadresse", "我搬家了，请修改收货地址"],
}
UNLIKE = {"refund": ["where is my refund", "什么时候到货"], "cancel": ["cancel my newsletter"], "address": []}


def procedure(name: str, like: list[str], unlike: list[str], otherwise: bool = False) -> Procedure:
    text = REFUND.replace("procedure: refund", f"procedure: {name}")
    triggers = f"{{like: {like!r}, unlike: {unlike!r}, otherwise: {otherwise}}}"
    text = text.replace("{like: [refund please, my mug arrived broken]}", triggers)
    return compile_procedure(parse_document(text, "p.yaml"), Toolbox(Shop().tools()), REPLIES)


SELECTOR = ProcedureSelector([procedure(name, LIKE[name], UNLIKE[name]) for name in LIKE])


def chosen(text: str) -> str | None:
    selection = SELECTOR.select(text)
    assert selection.reason
    return selection.procedure.name if selection.procedure else None


@pytest.mark.parametrize(
    "text, name",
    [
        ("Hello! My mug arrived BROKEN today, order 10001.", "refund"),
        ("Guten Tag. Die Vase kam leider zerbrochen an!", "refund"),
        ("你好，杯子收到时碎了。我要退款。", "refund"),
        ("Could you please cancel my order 10002?", "cancel"),
        ("Hallo, bitte stornieren Sie meine Bestellung 10003.", "cancel"),
        ("请取消我的订单 10004", "cancel"),
        ("我搬家了，请修改收货地址", "address"),
    ],
)
def test_each_language_finds_its_procedure(text: str, name: str) -> None:
    assert chosen(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "12345 !!! ???",
        "\x00\x01\x1b[31m\u202e",
        "Do you sell gift cards for weddings?",
        "今天天气很好",
        "lorem ipsum dolor sit amet " * 1000,
    ],
)
def test_what_is_like_nothing_is_left_to_people(text: str) -> None:
    assert chosen(text) is None


def test_a_tie_is_left_to_people() -> None:
    twins = ProcedureSelector([procedure(name, ["please cancel my order"], []) for name in ("one", "two")])
    selection = twins.select("please cancel my order")
    assert selection.procedure is None
    assert selection.margin == 0
    assert ProcedureSelector([]).select("please").procedure is None


ANSWERS = procedure("answers", [], ["our lawyer will sue you", "may we interview your press office"], otherwise=True)
WITH_ANSWERS = ProcedureSelector([*(procedure(name, LIKE[name], UNLIKE[name]) for name in LIKE), ANSWERS])


def test_what_fits_no_procedure_goes_to_the_one_for_such() -> None:
    selection = WITH_ANSWERS.select("Do you sell gift cards for weddings?")
    assert selection.procedure is ANSWERS
    assert selection.reason == "no procedure is like this message; answers is for such"
    assert ProcedureSelector([ANSWERS]).select("Do you sell gift cards?").procedure is ANSWERS


@pytest.mark.parametrize(
    "text, name", [("Please cancel my order 10002", "cancel"), ("杯子收到时碎了。我要退款。", "refund")]
)
def test_what_fits_a_procedure_goes_there_all_the_same(text: str, name: str) -> None:
    chosen = WITH_ANSWERS.select(text).procedure
    assert chosen is not None
    assert chosen.name == name


@pytest.mark.parametrize(
    "text", ["", "12345 !!!", "I shall sue you, says our lawyer", "can we interview the press office"]
)
def test_not_even_that_one_gets_what_says_nothing_or_is_not_for_it(text: str) -> None:
    assert WITH_ANSWERS.select(text).procedure is None


def test_what_could_be_two_goes_to_neither_and_not_to_the_one_for_the_rest() -> None:
    twins = [procedure(name, ["please cancel my order"], []) for name in ("one", "two")]
    selection = ProcedureSelector([*twins, ANSWERS]).select("please cancel my order")
    assert selection.procedure is None
    assert selection.reason == "it could be one or two"


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "please cancel my order. " * 40_000,
        "\ufdfa" * 1_000_000,
        "\x00" * 1_000_000,
        "碎" * 1_000_000,
        "a b " * 250_000,
    ],
)
def test_a_megabyte_is_looked_at_as_far_as_it_goes(text: str) -> None:
    assert 0 <= SELECTOR.select(text).score <= 1
    assert detect_language(text, {"en", "de", "zh"}) in {"en", "zh"}


@given(st.text())
def test_any_text_is_selected_on_deterministically(text: str) -> None:
    one = SELECTOR.select(text)
    assert one == SELECTOR.select(text)
    assert 0 <= one.score <= 1


@pytest.mark.parametrize(
    "text",
    ["I'd like to be reimbursed for the cup, it was smashed", "Scrap the purchase, please", "we moved to a new flat"],
)
def test_other_words_for_the_same_thing_are_nearest_to_their_procedure(text: str) -> None:
    best = ProcedureSelector([procedure(name, LIKE[name], UNLIKE[name]) for name in LIKE], threshold=0.0)
    expected = {"reimbursed": "refund", "Scrap": "cancel", "moved": "address"}
    chosen = best.select(text).procedure
    assert chosen is not None
    assert chosen.name == next(name for word, name in expected.items() if word in text)


def test_what_is_only_like_it_moves_away_from_it() -> None:
    with_unlike = SELECTOR.select("cancel my newsletter")
    without = ProcedureSelector([procedure(name, LIKE[name], []) for name in LIKE]).select("cancel my newsletter")
    assert without.procedure is not None
    assert without.procedure.name == "cancel"
    assert with_unlike.procedure is None


@pytest.mark.parametrize(
    "text, name",
    [
        ("Please cancel my order 10002, thank you.", "cancel"),
        ("die Vase kam zerbrochen an", "refund"),
        ("我搬家了，请修改收货地址", "address"),
    ],
)
def test_a_request_is_found_in_a_long_message(text: str, name: str) -> None:
    around = "We went to the seaside with the children. " * 2 + "It rained on all of the days."
    assert chosen(f"{around}\n\n{text}\n\n{around}") == name


def test_the_order_of_the_procedures_does_not_matter() -> None:
    turned = ProcedureSelector([procedure(name, LIKE[name], UNLIKE[name]) for name in reversed(LIKE)])
    for text in ("my mug arrived broken", "bitte stornieren", "something else altogether", "send my order elsewhere"):
        one, other = SELECTOR.select(text), turned.select(text)
        assert (one.score, one.margin) == pytest.approx((other.score, other.margin), abs=1e-4)
        assert (one.procedure and one.procedure.name) == (other.procedure and other.procedure.name)


def test_the_threshold_is_a_probability() -> None:
    sure = ProcedureSelector([procedure(name, LIKE[name], UNLIKE[name]) for name in LIKE], threshold=0.99)
    assert sure.select("could you perhaps cancel something").procedure is None
    assert SELECTOR.select("please cancel my order").score > 0.9
    assert SELECTOR.select("please cancel something").score < SELECTOR.select("please cancel my order").score
