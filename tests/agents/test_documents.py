"""Documents: whatever a person writes is either typed data or a list of problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from agents.documents import MAX_BYTES, MAX_DEPTH, dotted, load_model, nearest, parse_document, read_document
from agents.errors import InvalidDocument, Problem


class Part(BaseModel):
    """One part."""

    model_config = ConfigDict(extra="forbid")

    name: str
    count: Annotated[int, Field(ge=1)] = 1


class Whole(BaseModel):
    """A whole."""

    model_config = ConfigDict(extra="forbid")

    title: str
    open: bool = False
    parts: list[Part] = []
    named: dict[str, Part] = {}


def load(text: str) -> Whole:
    return load_model(parse_document(text, "w.yaml"), Whole)


def problems(text: str) -> list[tuple[int | None, str, str]]:
    with pytest.raises(InvalidDocument) as refused:
        load(text)
    assert {problem.file for problem in refused.value.problems} == {"w.yaml"}
    return [(problem.line, problem.field, problem.message) for problem in refused.value.problems]


@pytest.mark.parametrize("word", ["no", "yes", "0.10", "1e3", "0x10", "2026-01-01", "12:30", "010", "<<", "'null'"])
def test_scalars_stay_text(word: str) -> None:
    assert load(f"title: {word}").title == word.strip("'")


def test_types_come_from_the_model() -> None:
    whole = load("title: a\nopen: yes\nparts: [{name: x, count: 3}]\nnamed: {b: {name: y}}")
    assert whole == Whole(title="a", open=True, parts=[Part(name="x", count=3)], named={"b": Part(name="y")})


def test_every_problem_is_listed_with_line_field_and_nearest_name() -> None:
    found = problems("titel: a\nopen: perhaps\nparts:\n  - name: x\n    cuont: 2\n  - count: 0\n    name: y\n")
    assert (1, "titel", "is not a known field; did you mean 'title'?") in found
    assert (5, "parts[0].cuont", "is not a known field; did you mean 'count'?") in found
    assert [(line, field) for line, field, _ in found if field in ("open", "parts[1].count")] == [
        (2, "open"),
        (6, "parts[1].count"),
    ]
    assert len(found) == 4  # that title is required says nothing more than titel


@pytest.mark.parametrize(
    "text, line, field, message",
    [
        ("title: a\ntitle: b", 2, "title", "given twice"),
        ("title: a\nparts:\n  - {name: x, name: y}", 3, "parts[0].name", "given twice"),
        ("title: &a x\nother: *a", 2, "", "aliases"),
        ("a: &a [x]\nb: [*a, *a]", 2, "", "aliases"),
        ("? [a, b]\n: c", 1, "", "a field's name must be plain text"),
        ("title: [a", 1, "", "not YAML"),
        ("title: a\n\tb: c", 2, "", "not YAML"),
        ("title: a\n---\ntitle: b", 2, "", "not YAML"),
        ("title: a\nopen: \x07", 2, "", "#x0007 is not allowed"),
        ("title: a\x00", 1, "", "#x0000 is not allowed"),
        ('title: "\\UFFFFFFFF"', None, "", "not YAML"),
        ("- a\n- b", 1, "", "valid dictionary"),
        ("just text", 1, "", "valid dictionary"),
        ("", None, "", "is empty; write fields"),
    ],
)
def test_each_kind_of_mistake(text: str, line: int | None, field: str, message: str) -> None:
    (found,) = problems(text)
    assert found[:2] == (line, field)
    assert message in found[2]


@pytest.mark.parametrize("depth", [MAX_DEPTH + 5, 5_000])
@pytest.mark.parametrize("bracket", ["[", "{a: "])
def test_deep_nesting_is_refused(depth: int, bracket: str) -> None:
    ((_, _, message),) = problems(bracket * depth + {"[": "]", "{a: ": "}"}[bracket] * depth)
    assert message == f"nested deeper than {MAX_DEPTH} levels"


def test_deep_enough_is_read() -> None:
    source = parse_document("[" * MAX_DEPTH + "]" * MAX_DEPTH, "w.yaml")
    assert source.data == eval("[" * MAX_DEPTH + "]" * MAX_DEPTH)


def refused_file(path: Path) -> Problem:
    with pytest.raises(InvalidDocument) as refused:
        read_document(path)
    (problem,) = refused.value.problems
    assert problem.file == str(path)
    return problem


def test_a_huge_a_missing_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    huge, binary = tmp_path / "huge.yaml", tmp_path / "binary.yaml"
    huge.write_bytes(b"a: " + b"x" * MAX_BYTES)
    binary.write_bytes(b"title: a\nopen: \xff\xfe\n")
    assert str(MAX_BYTES) in refused_file(huge).message
    assert (refused_file(binary).line, refused_file(binary).message) == (2, "is not UTF-8 text; save it as UTF-8")
    assert "cannot be read" in refused_file(tmp_path / "missing.yaml").message
    assert "cannot be read" in refused_file(tmp_path).message


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbftitle: a\n")
    assert load_model(read_document(path), Whole).title == "a"


def test_a_part_of_a_document_is_loaded_with_its_lines() -> None:
    source = parse_document("a:\n  b:\n    nmae: x\n", "w.yaml")
    with pytest.raises(InvalidDocument) as refused:
        load_model(source, Part, ("a", "b"))
    assert {(one.line, one.field) for one in refused.value.problems} == {(3, "a.b.nmae")}


def test_names() -> None:
    assert dotted(("steps", 2, "args", "x")) == "steps[2].args.x"
    assert nearest("shop.refnd", ["shop.refund", "shop.find"]) == "did you mean 'shop.refund'?"
    assert nearest("qqq", ["b", "a"]) == "known: a, b"
    assert nearest("qqq", []) == "nothing like it is known"
    assert str(Problem(file="f", line=3, field="a", message="m")) == "f:3: a: m"


YAML = st.text(st.sampled_from("ab:- \n\t[]{}\"'\\&*!|>?%@`#,~0u\x00é杯\U0001f600"), max_size=60)


def mistakes(text: str) -> list[Problem] | None:
    try:
        load(text)
    except InvalidDocument as error:
        return list(error.problems)
    return None


@given(YAML | st.text(max_size=60))
def test_any_text_is_a_model_or_invalid(text: str) -> None:
    found = mistakes(text)
    assert found is None or (found and all(one.line is None or one.line >= 1 for one in found))


DATA = st.recursive(
    st.none() | st.text("ab0 ", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["title", "open", "parts", "named", "name", "count", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(DATA)
def test_any_shape_is_a_model_or_invalid(data: object) -> None:
    assert mistakes(json.dumps(data)) != []
