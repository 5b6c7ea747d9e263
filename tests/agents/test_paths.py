"""Paths and templates: values travel with their type and their label."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from agents.errors import PathError
from agents.paths import Template, parse_path, resolve
from agents.policy.labels import PLAN, SEVERAL, UNTRUSTED, Integrity, Label, Labelled
from tests.agents.test_labels import LABELS

SYSTEM = Label(integrity=Integrity.SYSTEM, owner="ada@example.com")
VALUES = {
    "order": Labelled(data={"items": [{"id": 7}], "total": {"minor": 1}, "none": None}, label=SYSTEM),
    "said": Labelled(data="${order.total} ${", label=UNTRUSTED),
    "other": Labelled(data="x", label=Label(integrity=Integrity.SYSTEM, owner="bob@example.com")),
}


def test_a_path_is_names_and_positions() -> None:
    assert parse_path("a.b_1[0].c") == ("a", "b_1", 0, "c")


@pytest.mark.parametrize(
    "text", ["", "a.", ".a", "a[x]", "a[-1]", "a b", "a.0", "a[99999]", "a()", "1a", "a\n", "a..b"]
)
def test_anything_else_is_no_path(text: str) -> None:
    with pytest.raises(PathError):
        parse_path(text)


def test_a_lone_path_keeps_type_and_label() -> None:
    assert Template.compile("${order.items[0].id}").fill(VALUES) == Labelled(data=7, label=SYSTEM)
    assert Template.compile("${order.total}").fill(VALUES).data == {"minor": 1}


def test_text_around_it_makes_text() -> None:
    filled = Template.compile("no ${order.items[0].id}!").fill(VALUES)
    assert (filled.data, filled.label.integrity) == ("no 7!", Integrity.SYSTEM)


def test_what_a_value_says_is_never_expanded() -> None:
    assert Template.compile("<${said}>").fill(VALUES).data == "<${order.total} ${>"


def test_text_made_from_somebody_elses_record_stays_theirs() -> None:
    assert Template.compile("#${other}").fill(VALUES).label.owner == "bob@example.com"
    assert Template.compile("${other}${order.items[0].id}").fill(VALUES).label.owner == SEVERAL


@pytest.mark.parametrize("source", ["${", "a ${b", "${a.b", "${a b}", "${}", "${${a}}", "x ${a} ${", "${a['b']}"])
def test_a_malformed_template_is_refused(source: str) -> None:
    with pytest.raises(PathError):
        Template.compile(source)


@pytest.mark.parametrize(
    "source", ["${nobody}", "${order.x}", "${order.items[3]}", "a ${order.total}", "a ${order.none}"]
)
def test_a_place_that_cannot_be_filled_is_an_error(source: str) -> None:
    with pytest.raises(PathError):
        Template.compile(source).fill(VALUES)


def test_the_error_says_where() -> None:
    with pytest.raises(PathError, match=r"\$\{order\.items\[3\]\}") as error:
        resolve(("order", "items", 3), VALUES)
    assert error.value.at == "3"


SCALARS: st.SearchStrategy[JsonValue] = st.text(max_size=5) | st.integers() | st.booleans()


@given(st.lists(st.tuples(SCALARS, LABELS), max_size=4), st.text("ab $}", max_size=3))
def test_the_label_of_a_filled_template_is_never_stronger_than_its_parts(
    parts: list[tuple[JsonValue, Label]], text: str
) -> None:
    values = {f"v{index}": Labelled(data=data, label=label) for index, (data, label) in enumerate(parts)}
    filled = Template.compile(text + "-".join(f"${{{name}}}" for name in values)).fill(values)
    for value in values.values():
        assert filled.label.integrity <= value.label.integrity
        assert value.label.owner is None or filled.label.owner in (value.label.owner, SEVERAL)
    if not values:
        assert filled.label == PLAN


@given(st.text(st.sampled_from("ab.${}[]0\n "), max_size=20))
def test_any_text_compiles_or_is_a_path_error(source: str) -> None:
    try:
        template = Template.compile(source)
    except PathError:
        return
    assert "${" not in "".join(part for part in template.parts if isinstance(part, str))
