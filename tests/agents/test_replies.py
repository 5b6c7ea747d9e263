"""Replies: the tenant's words, filled once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import Money
from agents.errors import InvalidDocument
from agents.planner import Replies

TEXTS = Replies(
    {
        ("done", "en"): "${requester_name}: ${amount}",
        ("done", "de"): "${requester_name}: ${amount} ${order_id}",
        ("bye", "en"): "Bye",
    }
)


def write(folder: Path, **files: str | bytes) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "-").replace("_", ".")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_a_folder_is_read(tmp_path: Path) -> None:
    replies = Replies.load(write(tmp_path, done_en_md="Done ${amount}\n", done_zh_md="好 ${amount} ${order_id}"))
    assert replies.names() == {"done"}
    assert replies.languages() == {"en", "zh"}
    assert replies.places("done") == {"amount", "order_id"}
    assert replies.render("done", "zh", {"amount": "1", "order_id": "2"}, requester_name="A") == "好 1 2"


def test_everything_wrong_is_listed_and_nothing_is_used(tmp_path: Path) -> None:
    write(tmp_path, ok_en_md="ok", only_de_md="nur", empty_en_md=" \n", Bad_md="x", bin_en_md=b"\xff")
    write(tmp_path, place_en_md="a\nb ${order.id} ${}")
    with pytest.raises(InvalidDocument) as refused:
        Replies.load(tmp_path)
    found = [(Path(one.file).name, one.line, one.message) for one in refused.value.problems]
    assert ("only.en.md", None, "is missing; other languages exist") in found
    assert ("empty.en.md", 1, "is empty; a reply needs words") in found
    assert ("bin.en.md", None, "is not UTF-8 text; save it as UTF-8") in found
    assert [line for name, line, _ in found if name == "place.en.md"] == [2, 2]
    assert "Bad.md" in {name for name, _, _ in found}
    assert "ok.en.md" not in {name for name, _, _ in found}


@pytest.mark.parametrize(
    "language, text",
    [
        ("en", "Ada: 1,234.50 USD"),
        ("de", "Ada: 1.234,50 USD 7"),
        ("zh", "Ada: 1,234.50 USD"),
        ("xx", "Ada: 1,234.50 USD"),
    ],
)
def test_money_is_written_as_people_of_the_language_do(language: str, text: str) -> None:
    values = {"amount": {"minor": 123450, "currency": "USD"}, "order_id": 7}
    assert TEXTS.render("done", language, values, requester_name="Ada") == text


@given(st.text() | st.sampled_from(["${amount}", "$${amount}", "\\1", "\\g<0>", "${requester_name}"]))
def test_a_value_is_written_as_it_is_and_never_expanded(value: str) -> None:
    assert TEXTS.render("done", "en", {"amount": value}, requester_name=value) == f"{value}: {value}"


@pytest.mark.parametrize(
    "money, text",
    [
        (Money(minor=5, currency="USD"), "0.05 USD"),
        (Money(minor=-5, currency="EUR"), "-0.05 EUR"),
        (Money(minor=1500, currency="JPY"), "1,500 JPY"),
        (Money(minor=1500, currency="KWD"), "1.500 KWD"),
    ],
)
def test_money_knows_its_minor_unit(money: Money, text: str) -> None:
    assert money.text() == text
    assert str(money) == text.replace(",", "")


@pytest.mark.parametrize(
    "fields", [{"minor": 1.0}, {"minor": "1"}, {"currency": "usd"}, {"currency": "USD\n"}, {"minor": True}]
)
def test_money_is_strict(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Money.model_validate({"minor": 1, "currency": "USD"} | fields)
