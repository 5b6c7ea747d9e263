"""Later messages: thanks, machines, and everything that somebody must look at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.ticket import Author, Message
from evaluators import Followup, classify, is_automatic, is_further_question, is_thanks
from tests.evaluators.judging import NOW


def of(text: str, *, automatic: bool = False) -> Followup:
    return classify(Message(id="m", author=Author.REQUESTER, text=text, at=NOW, automatic=automatic))


@pytest.mark.parametrize(
    "text",
    [
        "thanks!",
        "Thank you so much for the quick help!",
        "Great, thanks. Have a nice day!",
        "Thanks, Lena!",
        "Perfect, it works now. Thank you!\n\nBest regards,\nAnna Meier",
        "danke, super",
        "Vielen Dank für die schnelle Antwort!\nViele Grüße\nAnna",
        "Danke!",
        "谢谢",
        "收到了，非常感谢您的帮助！",
        "太好了，谢谢你们",
        "\U0001f64f",
        "Thanks\n\n> On Monday you wrote:\n> we refunded 34.90 USD?",
    ],
)
def test_thanks(text: str) -> None:
    assert of(text) is Followup.THANKS


@pytest.mark.parametrize(
    "text",
    [
        "thanks but I still have no money",
        "Thanks for nothing",
        "Thanks. Where is it?",
        "Thanks, Broken!",
        "Thanks!\nStill Broken",
        "Thanks! Also my order 10483 arrived broken",
        "thank you, please cancel 10484",
        "Danke, aber das Geld ist nicht da",
        "Danke für nichts",
        "谢谢，但是我还没收到退款",
        "没收到，谢谢",
        "不用谢，问题没解决",
        "This is not solved",
        "ok",
        "",
        "thanks " * 200,
        "Thanks\n\nBest regards,\nmy mug is broken",
        "> thanks",
    ],
)
def test_substantive(text: str) -> None:
    assert of(text) is Followup.SUBSTANTIVE


@pytest.mark.parametrize(
    "text",
    [
        "Automatic reply: I am away",
        "Out of office until Monday",
        "[Auto-Reply] I will be back",
        "I am currently out of the office.",
        "Abwesenheitsnotiz: Ich bin ab Montag wieder da.",
        "Ich bin derzeit nicht im Büro.",
        "自动回复：我目前不在办公室",
    ],
)
def test_machines(text: str) -> None:
    assert of(text) is Followup.AUTOMATIC


def test_a_machine_is_one_because_the_mail_system_says_so() -> None:
    assert of("My mug is broken", automatic=True) is Followup.AUTOMATIC
    assert not is_automatic("My mug is broken", False)


@pytest.mark.parametrize(
    "text",
    [
        "I got an automatic reply and no money",
        "Automatic reply or not: I want my money",
        "Out of office? My refund is wrong!",
        "自动回复没有用，我要退款",
    ],
)
def test_a_complaint_about_machines_is_none(text: str) -> None:
    assert of(text) is Followup.SUBSTANTIVE


@given(st.sampled_from(["no", "not", "but", "still", "broken", "money", "nicht", "kein", "aber", "kaputt", "没", "不"]),
       st.sampled_from(["thanks {}", "{} thanks", "Danke, {}", "谢谢，{}", "Thank you!\n{}"]))  # fmt: skip
def test_no_word_of_complaint_passes_as_thanks(word: str, around: str) -> None:
    assert not is_thanks(around.format(word))
    assert not is_thanks(around.format(word.capitalize()))


@given(st.text(max_size=200))
def test_thanks_always_thank(text: str) -> None:
    if is_thanks(text):
        assert any(sign in text.casefold() for sign in ("than", "thx", "ty", "cheers", "appreciated", "dank", "merci",
                                                       "谢", "\U0001f44d", "\U0001f64f", "\u2764"))  # fmt: skip


def test_a_million_characters_are_not_thanks() -> None:
    assert of("thanks " * 150_000) is Followup.SUBSTANTIVE
    assert of("谢" * 1_000_000) is Followup.SUBSTANTIVE


@pytest.mark.parametrize(
    "text",
    [
        "thanks, and does that also hold for gift cards?",
        "Great! Another thing: how long is a gift card valid?",
        "Vielen Dank! Gilt das auch für Gutscheine?",
        "谢谢，请问礼品卡有效期多久？",
    ],
)
def test_a_further_question(text: str) -> None:
    assert is_further_question(text)


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, but that did not answer my question. Is there one?",
        "Thanks. Isn't it free?",
        "How long is it valid?",
        "Thanks!",
        "Danke, aber gilt das auch für Gutscheine?",
        "谢谢，但是你没有回答我的问题？",
        "Thanks " + "a lot " * 100 + "?",
        "",
    ],
)
def test_what_may_be_a_complaint_is_no_further_question(text: str) -> None:
    assert not is_further_question(text)
