"""Models made of JSON Schema: what a model takes fits the schema, as the reference validator reads it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from agents.errors import ToolFailed
from agents.tools.schemas import Schemas, Unsupported, field_name
from agents.tools.wire import from_wire, to_wire, without_floats

NAMES = st.sampled_from(["id", "order-id", "copy", "_x", "9", "größe"])
WHOLE = st.integers(-5, 5)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(NAMES, inner, min_size=1, max_size=3).flatmap(
        lambda properties: st.sets(st.sampled_from(sorted(properties))).map(
            lambda required: {"type": "object", "properties": properties, "required": sorted(required)}
        )
    )


LEAVES = st.one_of(
    st.builds(lambda low: {"type": "string", "minLength": low, "maxLength": low + 2}, st.integers(0, 2)),
    st.builds(lambda low: {"type": "integer", "minimum": low, "exclusiveMaximum": low + 4}, WHOLE),
    st.builds(lambda low: {"type": "number", "exclusiveMinimum": low, "maximum": low + 4}, WHOLE),
    st.just({"type": "boolean"}),
    st.just({"enum": ["a", 1, None]}),
    st.just({"type": ["integer", "null"]}),
    st.just({"type": "string", "pattern": "^(?!a)"}),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        _objects(inner),
        st.builds(lambda item: {"type": "array", "items": item, "maxItems": 2, "uniqueItems": True}, inner),
        st.builds(lambda one: {"anyOf": [one, {"type": "null"}]}, inner),
        st.builds(lambda one: {"type": "object", "additionalProperties": one}, inner),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), WHOLE, st.sampled_from(["", "a", "bc", "1.5", "1"]), st.just(Decimal("1.5"))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=6,
)


def _near(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit, or nearly fit."""
    match schema:
        case {"anyOf": [one, _]}:
            return st.one_of(st.none(), _near(one))
        case {"properties": properties}:
            return st.fixed_dictionaries({}, optional={name: _near(part) for name, part in properties.items()})
        case {"additionalProperties": one}:
            return st.dictionaries(NAMES, _near(one), max_size=2)
        case {"items": item}:
            return st.lists(_near(item), max_size=3)
        case {"type": "string"}:
            return st.one_of(st.sampled_from(["", "a", "bc", "bcd", "bcde"]), WHOLE)
        case {"type": "boolean"}:
            return st.one_of(st.booleans(), st.sampled_from([0, 1, "true"]))
        case {"enum": values}:
            return st.sampled_from([*values, "b", 2])
    return st.one_of(st.integers(-6, 10), st.sampled_from(["1", "0.5", True, None, Decimal("1.5")]))


SCHEMAS_AND_VALUES = SCHEMAS.flatmap(lambda schema: st.tuples(st.just(schema), st.one_of(_near(schema), VALUES)))


def _without_nothing(schema: Any, value: Any) -> Any:
    """``value`` without the fields that are null and optional: a model takes these as left out."""
    if "anyOf" in schema and value is not None:
        return _without_nothing(schema["anyOf"][0], value)
    match value:
        case dict() if "properties" in schema:
            kept = {k: v for k, v in value.items() if v is not None or k in schema["required"]}
            return {k: _without_nothing(schema["properties"].get(k, {}), v) for k, v in kept.items()}
        case dict():
            return {k: _without_nothing(schema.get("additionalProperties", {}), v) for k, v in value.items()}
        case list():
            return [_without_nothing(schema.get("items", {}), v) for v in value]
    return value


@given(SCHEMAS_AND_VALUES)
def test_what_a_model_takes_fits_the_schema_and_the_other_way_round(both: tuple[dict[str, Any], Any]) -> None:
    schema, value = both
    whole = {"type": "object", "properties": {"it": schema}, "required": ["it"]}
    model = Schemas(whole, answers=True).model("it", whole)
    plain = _without_nothing(schema, value)
    fits = Draft202012Validator(schema).is_valid(json.loads(json.dumps(plain, default=float)))
    try:
        model.model_validate({"it": plain})
        taken = True
    except ValidationError:
        taken = False
    assert taken is fits, (schema, plain)


@given(SCHEMAS_AND_VALUES)
def test_what_is_sent_fits_the_schema(both: tuple[dict[str, Any], Any]) -> None:
    schema, value = both
    whole = {"type": "object", "properties": {"it": schema}, "required": ["it"]}
    try:
        model = Schemas(whole, answers=False).model("it", whole)
        given_ = model.model_validate({"it": value})
    except ValidationError:
        return
    sent = to_wire(model, {name: getattr(given_, name) for name in model.model_fields})
    Draft202012Validator(whole).validate(json.loads(json.dumps(sent)))


def made(schema: dict[str, Any], *, answers: bool = True, **rest: Any) -> type[BaseModel]:
    return Schemas(schema, answers=answers, **rest).model("it", schema)


NODE: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"$ref": "#/$defs/node"}, "it.node.next: contains itself (node -> node)"),
        ({"$ref": "#/$defs/loop"}, "refers to itself"),
        ({"allOf": [{"$ref": "#/$defs/own"}]}, "contains itself"),
        ({"$ref": "#/$defs/nothing"}, "leads nowhere"),
        ({"$ref": "other.yaml#/x"}, "another document"),
        ({"type": "string", "format": "iban"}, 'text_formats = ["iban"]'),
        ({"type": "integer", "format": "huge"}, "'huge' is not known"),
        ({"type": "string", "pattern": "(("}, "cannot be read"),
        ({"type": "file"}, "the type 'file' is not known"),
        ({"enum": [1.5]}, "enum"),
        ({"enum": []}, "enum"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "allOf says two things about 'type'"),
        ({"oneOf": [{"type": "string"}], "minLength": 1}, "'minLength' beside 'oneOf'"),
        ({"oneOf": [{"type": "null"}]}, "always null"),
        ({"patternProperties": {}}, "'patternProperties' cannot be said"),
        ({"type": "array", "prefixItems": []}, "'prefixItems' cannot be said"),
        ({"properties": {"a-b": {}, "a_b": {}}}, "both called 'a_b'"),
        ({"properties": []}, "something else where fields should be"),
        ({"type": "string", "minLength": "x"}, "no model can be made"),
        (False, "is not a schema"),
        (5, "is not a schema"),
    ],
)
def test_what_cannot_be_said_is_refused_with_its_place(part: Any, message: str) -> None:
    definitions = {
        "node": NODE,
        "loop": {"$ref": "#/$defs/loop"},
        "own": {"allOf": [{"$ref": "#/$defs/own"}]},
    }
    schema = {"type": "object", "properties": {"it": part}, "$defs": definitions}
    with pytest.raises(Unsupported) as refused:
        made(schema)
    assert message in str(refused.value)
    assert "it" in str(refused.value)


def test_a_schema_that_is_too_deep_or_too_large_is_refused() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(100):
        deep = {"type": "array", "items": deep}
    wide: dict[str, Any] = {"type": "string"}
    for _ in range(14):
        wide = {"type": "object", "properties": {"a": wide, "b": wide}}
    for schema in (deep, wide):
        with pytest.raises(Unsupported, match="more than"):
            made({"type": "object", "properties": {"it": schema}})


def test_what_only_one_side_may_write_is_not_there_for_the_other() -> None:
    schema = {
        "type": "object",
        "properties": {"id": {"type": "string", "readOnly": True}, "pin": {"type": "string", "writeOnly": True}},
    }
    assert made(schema, answers=True).model_fields.keys() == {"id"}
    assert made(schema, answers=False).model_fields.keys() == {"pin"}


def test_arguments_may_be_text_and_answers_may_not() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "x": {"type": "number"}}}
    assert made(schema, answers=False).model_validate({"n": "5", "x": "0.10"}).model_dump() == {
        "n": 5,
        "x": Decimal("0.10"),
    }
    for answer in ({"n": "5"}, {"x": "0.10"}, {"n": True}, {"x": True}):
        with pytest.raises(ValidationError):
            made(schema, answers=True).model_validate(answer)


def test_parts_said_together_are_one_object() -> None:
    schema = {
        "allOf": [
            {"$ref": "#/$defs/base"},
            {"type": "object", "properties": {"id": {"minLength": 2}, "b": {"type": "boolean"}}},
        ],
        "required": ["b"],
        "$defs": {"base": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
    }
    model = made(schema)
    assert model.model_validate({"id": "ab", "b": True, "other": 1})
    for wrong in ({"id": "a", "b": True}, {"id": "ab"}, {"b": True}):
        with pytest.raises(ValidationError):
            model.model_validate(wrong)


def test_numbers_keep_their_digits_or_are_refused() -> None:
    model = made({"type": "object", "properties": {"x": {"type": "number"}}}, answers=False)
    assert to_wire(model, {"x": Decimal("12.10")}) == {"x": 12.1}
    assert to_wire(model, {"x": Decimal("12.00")}) == {"x": 12}
    with pytest.raises(ToolFailed, match="more digits"):
        to_wire(model, {"x": Decimal("0.1234567890123456789")})
    assert from_wire(b'{"x": 0.10}') == {"x": Decimal("0.10")}
    assert without_floats({"x": [0.1]}) == {"x": [Decimal("0.1")]}
    for no_json in (b"NaN", b'{"x": Infinity}', b"[" * 100_000, b"\xff"):
        with pytest.raises(ValueError, match=r"JSON|deep|decode|Expecting"):
            from_wire(no_json)


@pytest.mark.parametrize(
    ("wire", "name"),
    [("order-id", "order_id"), ("$filter", "filter"), ("9lives", "n9lives"), ("copy", "copy_"), ("größe", "gr__e")],
)
def test_names_can_be_said_in_paths(wire: str, name: str) -> None:
    assert field_name(wire) == name
