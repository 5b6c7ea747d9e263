"""What a ticket asks for beside its issues is left over for a person; what only belongs to an issue is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.planner import ProcedureSelector
from agents.planner.issues import issues
from agents.planner.leftovers import PART_LEFT, left_over
from service.deployment import load_deployment

EXAMPLES = Path(__file__).parents[2] / "examples"
RETAIL = load_deployment(EXAMPLES / "retail")
SELECTOR = ProcedureSelector(RETAIL.procedures)
REFUND = "The mug from order 10001 arrived broken, please refund me."


def left(*messages: str) -> tuple[str, ...]:
    found = issues(SELECTOR, messages)
    rest = left_over(SELECTOR, found, messages, RETAIL.wishes())
    if rest is None:
        return ()
    assert (rest.procedure, rest.code) == (None, PART_LEFT)
    assert " ".join(rest.words).split()[0] in rest.reason
    return rest.words


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (["Please cancel 11975. And when does my parcel come?"], "And when does my parcel come?"),
        (["Please cancel order 11975.", "Oh, and where is my other parcel?"], "Oh, and where is my other parcel?"),
        (["storniere 11975. Und wann kommt mein Paket an?"], "storniere 11975."),
        (["Wann kommt mein Paket an? Bitte 11975 stornieren."], "Bitte 11975 stornieren."),
        (["取消订单11975。另外我的快递到哪了？"], "我的快递到哪了？"),
        ([f"{REFUND} Please cancel my order 10002. Where is my parcel?"], "Where is my parcel?"),
    ],
)
def test_another_wish_is_left_over(messages: list[str], expected: str) -> None:
    assert left(*messages) == (expected,)


@pytest.mark.parametrize(
    "messages",
    [
        [f"{REFUND} When will I have my money back?"],
        [f"Good morning, I hope you are well! {REFUND} Thank you and best regards"],
        [f"{REFUND} The parcel came yesterday."],
        ["Wann kommt mein Paket 11975 an? Bitte nicht stornieren!"],
        ["Where is order 11975? I wonder whether to cancel 11975"],
        ["Do you have a job for me? And do you sell wholesale?"],
        [REFUND],
        [],
    ],
)
def test_one_issue_leaves_nothing(messages: list[str]) -> None:
    assert left(*messages) == ()


@pytest.mark.parametrize("example", ["retail", "saas"])
def test_the_examples_tickets_leave_nothing(example: str) -> None:
    deployment = load_deployment(EXAMPLES / example)
    selector = ProcedureSelector(deployment.procedures)
    for line in (EXAMPLES / example / "tickets.jsonl").read_text(encoding="utf-8").splitlines():
        ticket = json.loads(line)
        messages = [ticket["subject"], *ticket["messages"]]
        assert left_over(selector, issues(selector, messages), messages, deployment.wishes()) is None, ticket["id"]


PIECES = [REFUND, "Please cancel 10002.", "Where is my parcel?", "Thanks!", "storniere 10003.", "\n", "另外"]


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_what_is_left_was_written_and_belongs_to_no_issue(pieces: list[str]) -> None:
    text = " ".join(pieces)
    found = issues(SELECTOR, [text])
    rest = left_over(SELECTOR, found, [text], RETAIL.wishes())
    procedures = [one.procedure for one in found]
    if rest is not None:
        assert None not in procedures
        assert all(words in text and SELECTOR.select(words).procedure not in procedures for words in rest.words)
