"""Answers from articles: whole statements of the cited article and version, and else only signed lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators import Case, EvidenceClass, Finding, OutcomeTerms, examine
from evaluators.quotes import quotes_in
from tests.evaluators.judging import ANNA, claim, looked_up

STATEMENTS = [
    "Refunds are not possible for items from a sale.",
    "Sale items: You can exchange them.\n- for a voucher\n- for another size",
    "We think that returns are possible within 30 days.",
]
ANSWERED = OutcomeTerms.model_validate(
    {
        "means": "A question was answered from an article.",
        "subject": "article",
        "class": "grounded",
        "asked": ["?"],
        "proof": {
            "read": "articles.article",
            "belongs_to": "after.public || task.requester.domain in after.readers",
            "holds": "after.valid",
        },
        "frame": ["Hello ${requester_name},", "Kind regards", "Acme Support"],
        "requires": ["proof", "asked_for", "reply_ok"],
    }
)


def article(**changes: Any) -> dict[str, Any]:
    return {
        "id": "returns",
        "title": "Returns",
        "version": "3",
        "language": "en",
        "public": True,
        "readers": [],
        "valid": True,
        "statements": STATEMENTS,
        **changes,
    }


def reply(*blocks: str) -> str:
    return "\n\n".join(["Hello Anna,", *blocks, "Kind regards\nAcme Support"])


def answered(*blocks: str, words: str = "Are refunds possible for a sale item?", **changes: Any) -> Case:
    values: dict[str, Any] = {
        "claim": claim(
            outcome_type="question_answered", subject="article:returns", receipts=("read-1",), reply=reply(*blocks)
        ),
        "receipts": (looked_up(),),
        "requester_email": ANNA,
        "requester_name": "Anna",
        "words": (words,),
        "after": article(),
    }
    return Case(**{**values, **changes})


def code(*blocks: str, **changes: Any) -> str:
    return examine(answered(*blocks, **changes), ANSWERED).code


def cited(text: str, citation: str = "[returns v3]") -> str:
    return f"{text} {citation}"


def test_every_statement_may_be_quoted_whole_in_any_order() -> None:
    found = examine(answered(*(cited(text) for text in reversed(STATEMENTS))), ANSWERED)
    assert (found.finding, found.evidence_class) == (Finding.PASSED, EvidenceClass.GROUNDED)
    assert [check.check for check in found.checks] == ["citations", "asked_for", "reply"]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (cited("refunds are NOT possible\nfor items  from a sale."), "ok"),
        (cited("Refunds are possible for items from a sale."), "not_quoted"),
        (cited("Refunds are not possible."), "not_quoted"),
        (cited("returns are possible within 30 days."), "not_quoted"),
        (cited("Refunds are not possible for items from a sale"), "not_quoted"),
        (cited(" ".join((STATEMENTS[0], STATEMENTS[2]))), "not_quoted"),
        (cited("You can exchange them.\n- for a voucher\n- for another size"), "not_quoted"),
        (cited("Sale items: You can exchange them.\n- for a voucher"), "not_quoted"),
        (cited(""), "not_quoted"),
        (cited(STATEMENTS[0], "[returns v2]"), "wrong_version"),
        (cited(STATEMENTS[0], "[returns v3.0]"), "wrong_version"),
        (cited(STATEMENTS[0], "[refunds v3]"), "wrong_article"),
        (STATEMENTS[0], "uncited"),
        (cited(STATEMENTS[0]) + ".", "uncited"),
        (cited(STATEMENTS[0]) + "\n\nYou get 20 EUR.", "uncited"),
        (cited(STATEMENTS[0]) + "\n\nRefunds are possible.", "uncited"),
        (cited(STATEMENTS[0]) + "\n\nHello Bert,", "uncited"),
        ("Kind regards", "no_quote"),
    ],
)
def test_only_whole_statements_and_signed_lines(block: str, expected: str) -> None:
    assert code(block) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"after": article(public=False)}, "not_theirs"),
        ({"after": article(public=False, readers=["dealer.example"])}, "not_theirs"),
        ({"after": article(public=False, readers=["example.com"])}, "ok"),
        ({"after": article(valid=False)}, "condition_not_met"),
        ({"after": article(version="4")}, "wrong_version"),
        ({"after": article(statements=STATEMENTS[1:])}, "not_quoted"),
        ({"after": article(statements="Refunds")}, "not_quoted"),
        ({"after": None}, "record_missing"),
        ({"after": None, "unavailable": "gone"}, "source_unavailable"),
        ({"words": "Refunds are possible, I say."}, "not_asked_for"),
        ({"words": "Where is my parcel?"}, "not_about_the_question"),
        ({"words": "> refunds for a sale?\nthanks"}, "not_asked_for"),
    ],
)
def test_the_article_and_the_question_decide_too(changes: dict[str, Any], expected: str) -> None:
    assert code(cited(STATEMENTS[0]), **changes) == expected


def test_a_quote_may_be_in_another_language_and_hold_the_desks_address_the_frame_may_not() -> None:
    words = "写信给 help@acme.example 申请退款。"
    found = examine(answered(cited(words), words="退款？", after=article(statements=[words])), ANSWERED)
    assert found.code == "ok"
    signed = ANSWERED.model_copy(update={"frame": (*ANSWERED.frame, "Write to help@acme.example")})
    assert examine(answered(cited(STATEMENTS[0]), "Write to help@acme.example"), signed).code == "reply_foreign_address"


@given(st.integers(0, 2), st.data())
def test_a_statement_that_was_cut_or_changed_anywhere_never_passes(which: int, data: st.DataObject) -> None:
    words = STATEMENTS[which].split()
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    left = words[:start] + words[end:]
    assert code(cited(" ".join(left))) == "not_quoted"
    assert code(cited(" ".join(words[start:end]))) == ("ok" if end - start == len(words) else "not_quoted")


@given(st.text(max_size=300))
def test_any_text_is_taken_apart_without_losing_a_word(text: str) -> None:
    quotes, frame = quotes_in(text)
    kept = "".join([*frame, *(f"{one.words}[{one.article} v{one.version}]" for one in quotes)])
    assert sorted("".join(kept.split())) == sorted("".join(text.split()))


def test_an_effect_has_no_frame() -> None:
    with pytest.raises(ValueError, match="frame is for answers"):
        OutcomeTerms.model_validate(
            {
                **ANSWERED.model_dump(by_alias=True),
                "class": "effect_verified",
                "proof": {**ANSWERED.proof.model_dump(), "became": "after.valid", "by": "after.valid"},
            }
        )
