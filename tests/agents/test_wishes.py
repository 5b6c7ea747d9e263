"""A wish in doubt is for a person; no rule makes a wish out of words that hold none."""

from __future__ import annotations

import pytest

from agents.planner.wishes import denied, doubt

REFUND = ("refund", "money back", "erstatt", "geld zurück", "退款", "退钱")
CANCEL = ("cancel", "don't send", "stornier", "取消")

DOUBTFUL = [
    (CANCEL, ["Please cancel order 11991.", "Oh wait, please don't cancel it! Keep it."]),
    (CANCEL, ["Please cancel order 11991.", "I changed my mind."]),
    (CANCEL, ["Bitte stornieren Sie 11991.", "Doch nicht, bitte nicht stornieren!"]),
    (CANCEL, ["请取消订单11991。", "算了，不用了"]),
    (CANCEL, ["Please do NOT cancel my order 11982! I still want it."]),
    (CANCEL, ["Bitte stornieren Sie die Bestellung 11983 NICHT"]),
    (CANCEL, ["请不要取消我的订单11988"]),
    (CANCEL, ["My friend says I should cancel order 11984, but I think I'll keep it"]),
    (CANCEL, ["Is it too late to cancel order 11968? I'm only asking, don't do anything yet"]),
    (CANCEL, ["cancel only if it has not been shipped before Friday"]),
    (REFUND, ["If my order 11841 arrives broken, can I get a refund? Just asking"]),
    (REFUND, ["Has my order 11890 been refunded already?"]),
    (REFUND, ["I had a refund for the broken lamp last week, thank you!"]),
    (REFUND, ["I do not want my money back, please send a replacement"]),
    (REFUND, ["It broke, refund please.", "It is fine. No refund needed, please ignore my message"]),
    (REFUND, ["不用退款，请换一个新的"]),
]
CLEAR = [
    (CANCEL, ["I changed my mind, please cancel my order"]),
    (CANCEL, ["no longer want this order, don't send it"]),
    (CANCEL, ["ich brauche die Bestellung nicht mehr, bitte um Stornierung"]),
    (CANCEL, ["no thanks, please cancel it"]),
    (CANCEL, ["不想要了，麻烦取消订单"]),
    (REFUND, ["Please refund me, I've already thrown the shards away because of the kids."]),
    (REFUND, ["Ich bitte um Erstattung. Eine Ersatzlieferung brauche ich nicht."]),
    (REFUND, ["can I get a refund for the broken plate in my order"]),
    (REFUND, ["杯子收到时碎了，我要退款"]),
    (REFUND, ["Where is my parcel?"]),
    (REFUND, []),
]


@pytest.mark.parametrize(("phrases", "words"), DOUBTFUL)
def test_what_forbids_takes_back_asks_or_depends_is_in_doubt(phrases: tuple[str, ...], words: list[str]) -> None:
    assert doubt(words, phrases)


@pytest.mark.parametrize(("phrases", "words"), CLEAR)
def test_a_plain_wish_is_clear(phrases: tuple[str, ...], words: list[str]) -> None:
    assert doubt(words, phrases) == ""
    assert not denied(words, phrases)


def test_denied_is_only_what_is_denied_everywhere() -> None:
    assert denied(["Please do not cancel it."], CANCEL)
    assert denied(["I want no refund."], REFUND)
    assert not denied(["Please cancel it.", "Do not cancel the other one."], CANCEL)
    assert not denied(["Is it too late to cancel?"], CANCEL)


@pytest.mark.parametrize("filler", ["a", "a ", "not ", " ", "nicht", "cancel", "no\n", "。", "if "])
def test_no_text_takes_long(filler: str) -> None:
    text = "cancel " + filler * (40_000 // len(filler)) + "!"
    assert isinstance(doubt([text], CANCEL), str)
    assert isinstance(denied([text, "stornieren Sie" + text], CANCEL), bool)
