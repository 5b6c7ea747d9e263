"""JSON Schema to pydantic models: what an OpenAPI document or an MCP server says about arguments and answers.

What cannot be said exactly in a model is refused by its name and place, and never guessed. Schemas that contain
themselves are refused too: a sample of every answer is needed to check procedures before anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NoReturn
from urllib.parse import unquote

import regex
from annotated_types import Ge, Gt, Le, Len, Lt
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, TypeAdapter, create_model
from pydantic import StringConstraints as Text
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import SchemaError

MAX_DEPTH = 24
PATTERN_SECONDS = 0.5
MAX_SCHEMAS = 2_000
"""Schemas within the schemas of one tool."""
_PLAIN = frozenset({"password", "hostname", "ipv4", "ipv6", "uri", "url", "uri-reference", "byte", "time", "duration"})
_PATTERNS = {
    "uuid": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "email": r"^[^@\s]+@[^@\s]+$",
    "decimal": r"^-?[0-9]+(\.[0-9]+)?$",
    "int32": r"^-?[0-9]+$",
    "int64": r"^-?[0-9]+$",
}
_BITS = {"int32": 31, "int64": 63}
_FORMATS = {"integer": frozenset(_BITS), "number": frozenset({"float", "double", "decimal", *_BITS})}
_CANNOT_BE_SAID = frozenset(
    {
        *("not", "if", "then", "else", "patternProperties", "prefixItems", "contains", "propertyNames", "$dynamicRef"),
        *("dependentSchemas", "dependentRequired", "unevaluatedItems", "minProperties", "maxProperties"),
        "$recursiveRef",
    }
)
_WORDS = frozenset(
    {"title", "description", "example", "examples", "deprecated", "externalDocs", "xml", "$comment", "summary"}
)
"""What says nothing about the shape."""
_Place = tuple[str, ...]
_CONFIG = ConfigDict(validate_by_name=True, validate_by_alias=True, protected_namespaces=())


class Unsupported(Exception):
    """A schema that no model can be made of; the message says where and why."""


MALFORMED = (TypeError, AttributeError, KeyError, ValueError, RecursionError)
"""What reading a document raises that has something else than it should where nobody looked."""


def said(error: Exception) -> str:
    """What is wrong with a document, for people."""
    return f"is malformed: {error}"[:300] if isinstance(error, MALFORMED) else str(error)


class Schemas:
    """Makes models of the schemas of one document, for one direction."""

    def __init__(self, document: Mapping[str, Any], *, answers: bool, text_formats: Collection[str] = ()) -> None:
        """Set up; nothing is read yet.

        Args:
            document: where ``$ref`` is looked up.
            answers: True for what comes back (types are not converted, unknown fields are left out), False for
                arguments (text becomes what it should be, unknown fields are refused).
            text_formats: formats beside the known ones, read as plain text.
        """
        self._document = document
        self._answers = answers
        self._text_formats = frozenset(text_formats)
        self._within: list[str] = []
        self._count = 0

    def model(self, name: str, schema: Any, place: _Place = ()) -> type[BaseModel]:
        """The model of an object's schema; `Unsupported` if there is none."""
        self._count = 0
        plain = self.resolved(schema, place)
        if plain.get("type") == "object" and not plain.get("properties") and not plain.keys() & _COMBINED:
            schema = {"type": "object", "additionalProperties": False}
        made = self._type(schema, place, name)
        if not (isinstance(made, type) and issubclass(made, BaseModel)):
            _refuse(place, "is not an object with properties")
        try:
            made.model_json_schema()
        except (PydanticSchemaGenerationError, PydanticUserError, SchemaError, ValueError, TypeError) as error:
            _refuse(place, f"no model can be made of it: {str(error).splitlines()[0]}")
        return made

    def answer_model(self, name: str, schema: Any, place: _Place = ()) -> tuple[type[BaseModel], str]:
        """(model, field): an answer that is no object is put in a ``field``, ``items`` for a list, else ``value``."""
        if self.as_object(schema, place) is not None:
            return self.model(name, schema, place), ""
        field = "items" if self.resolved(schema, place).get("type") == "array" else "value"
        wrapped = {"type": "object", "properties": {field: schema}, "required": [field]}
        return self.model(name, wrapped, place), field

    def resolved(self, schema: Any, place: _Place = ()) -> Mapping[str, Any]:
        """``schema``, or what it refers to."""
        seen: list[str] = []
        while isinstance(schema, dict) and "$ref" in schema:
            reference = str(schema["$ref"])
            if reference in seen:
                _refuse(place, f"{reference} refers to itself")
            seen.append(reference)
            schema = self._looked_up(reference, place)
        if schema is True:
            return {}
        if not isinstance(schema, dict):
            _refuse(place, "is not a schema")
        return schema

    def as_object(self, schema: Any, place: _Place = ()) -> Mapping[str, Any] | None:
        """An object's schema in one piece, without ``$ref`` and ``allOf`` at its root; None if it is no object."""
        plain = self.resolved(schema, place)
        if "allOf" in plain:
            plain = self._merged(plain, place)
        return plain if plain.get("type", "object") == "object" and plain.get("properties") else None

    def _looked_up(self, reference: str, place: _Place) -> Any:
        if not reference.startswith("#"):
            _refuse(place, f"{reference} is in another document; put everything in one")
        found: Any = self._document
        for part in reference[1:].split("/")[1:]:
            part = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and part in found:
                found = found[part]
            elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
                found = found[int(part)]
            else:
                _refuse(place, f"{reference} leads nowhere")
        return found

    def _type(self, schema: Any, place: _Place, name: str) -> Any:
        self._count += 1
        if self._count > MAX_SCHEMAS or len(place) > 3 * MAX_DEPTH:
            _refuse(place, f"more than {MAX_SCHEMAS} schemas, or more than {MAX_DEPTH} within each other")
        if schema is True:
            return Any
        if not isinstance(schema, dict):
            _refuse(place, "is not a schema")
        if "$ref" in schema:
            return self._referred(schema, place, name)
        odd = sorted(schema.keys() & _CANNOT_BE_SAID)
        if odd:
            _refuse(place, f"{odd[0]!r} cannot be said in a model")
        if "allOf" in schema:
            return self._type(self._merged(schema, place), place, name)
        for word in ("oneOf", "anyOf"):
            if word in schema:
                return self._one_of(schema, word, place, name)
        kinds = schema.get("type")
        if isinstance(kinds, list):
            variants = [{**schema, "type": kind} for kind in kinds]
            return self._one_of({"anyOf": variants}, "anyOf", place, name)
        made = self._one(schema, place, name)
        return made | None if schema.get("nullable") is True and made is not Any else made

    def _referred(self, schema: Mapping[str, Any], place: _Place, name: str) -> Any:
        reference = str(schema["$ref"])
        beside = {key: value for key, value in schema.items() if key != "$ref" and key not in _WORDS}
        if reference in self._within:
            way = " -> ".join(_last(one) for one in [*self._within[self._within.index(reference) :], reference])
            _refuse(place, f"contains itself ({way}), so it has no end and cannot be a tool's")
        self._within.append(reference)
        try:
            found = self._looked_up(reference, place)
            whole = {"allOf": [found, beside]} if beside and isinstance(found, dict) else found
            return self._type(whole, (*place, _last(reference)), _last(reference))
        finally:
            self._within.pop()

    def _merged(self, schema: Mapping[str, Any], place: _Place) -> dict[str, Any]:
        """One schema that says what all of ``allOf`` say together."""
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        parts = _list(schema["allOf"], place)
        whole: dict[str, Any] = {}
        for part in [*parts, rest]:
            plain = dict(self._part(part, place))
            properties = {**whole.get("properties", {}), **_dict(plain.pop("properties", {}), place)}
            for same in _dict(whole.get("properties", {}), place).keys() & properties.keys():
                before = whole["properties"][same]
                if before != properties[same]:
                    properties[same] = {"allOf": [before, properties[same]]}
            required = [*whole.get("required", []), *_list(plain.pop("required", []), place)]
            for key, value in plain.items():
                if key in whole and whole[key] != value and key not in _WORDS:
                    _refuse(place, f"allOf says two things about {key!r}")
                whole[key] = value
            whole |= {"properties": properties} if properties else {}
            whole |= {"required": required} if required else {}
        return whole

    def _part(self, part: Any, place: _Place) -> Mapping[str, Any]:
        reference = str(part["$ref"]) if isinstance(part, dict) and "$ref" in part else ""
        if reference and reference in self._within:
            _refuse(place, f"contains itself ({_last(reference)}), so it has no end and cannot be a tool's")
        if reference:
            self._within.append(reference)
        try:
            plain = self.resolved(part, place)
            return self._merged(plain, place) if "allOf" in plain else plain
        finally:
            if reference:
                self._within.pop()

    def _one_of(self, schema: Mapping[str, Any], word: str, place: _Place, name: str) -> Any:
        beside = sorted(schema.keys() - {word, "discriminator", "nullable", "type", "default"} - _WORDS)
        if beside:
            _refuse(place, f"{beside[0]!r} beside {word!r} cannot be said in a model")
        variants = _list(schema[word], place)
        nothing = [one for one in variants if isinstance(one, dict) and _is_null(one)]
        types = [
            self._type(one, (*place, f"{word}[{number}]"), f"{name}_{number}")
            for number, one in enumerate(variants)
            if one not in nothing
        ]
        if not types:
            _refuse(place, "is always null")
        made: Any = types[0]
        for one in types[1:]:
            made = made | one if Any not in (made, one) else Any
        return made | None if (nothing or schema.get("nullable") is True) and made is not Any else made

    def _one(self, schema: Mapping[str, Any], place: _Place, name: str) -> Any:
        if "const" in schema or "enum" in schema:
            return _literal([schema["const"]] if "const" in schema else _list(schema["enum"], place), place)
        kind = schema.get("type")
        if kind is None:
            kind = next((kind for key, kind in _IMPLIED.items() if key in schema), None)
        match kind:
            case None:
                return Any
            case "string":
                return self._text(schema, place)
            case "integer" | "number":
                return self._number(schema, kind, place)
            case "boolean":
                return Annotated[bool, Strict()] if self._answers else bool
            case "array":
                return self._list(schema, place, name)
            case "object":
                return self._object(schema, place, name)
        return _refuse(place, f"the type {kind!r} is not known")

    def _text(self, schema: Mapping[str, Any], place: _Place) -> Any:
        known = schema.get("format")
        pattern = schema.get("pattern")
        if known == "date":
            return Annotated[date, BeforeValidator(_only_text)]
        if known == "date-time":
            return Annotated[datetime, BeforeValidator(_only_text), AfterValidator(_aware)]
        if known in _PATTERNS and pattern is None:
            pattern = _PATTERNS[str(known)]
        elif known is not None and known not in _PLAIN | self._text_formats | _PATTERNS.keys():
            _refuse(place, f"the format {known!r} is not known; {_how_to_read_it(known)}")
        lengths = Text(min_length=schema.get("minLength"), max_length=schema.get("maxLength"), strict=self._answers)
        return _annotated(str, [lengths, *([_pattern(str(pattern), place)] if pattern is not None else [])])

    def _number(self, schema: Mapping[str, Any], kind: str, place: _Place) -> Any:
        known = schema.get("format")
        if known is not None and known not in _FORMATS[kind] | self._text_formats:
            _refuse(place, f"the format {known!r} is not known; {_how_to_read_it(known)}")
        limits: list[Any] = []
        if known in _BITS and kind == "integer":
            limits += [Ge(-(2 ** _BITS[known])), Le(2 ** _BITS[known] - 1)]
        for key, limit, strictly in (("minimum", Ge, Gt), ("maximum", Le, Lt)):
            bound, exclusive = schema.get(key), schema.get("exclusive" + key.capitalize())
            if isinstance(exclusive, int | float | Decimal) and not isinstance(exclusive, bool):
                limits.append(strictly(_exact(exclusive)))
            if isinstance(bound, int | float | Decimal):
                limits.append((strictly if exclusive is True else limit)(_exact(bound)))
        if kind == "integer":
            return _annotated(int, [*limits, Strict()] if self._answers else limits)
        return _annotated(Decimal, [*limits, BeforeValidator(_only_number)] if self._answers else limits)

    def _list(self, schema: Mapping[str, Any], place: _Place, name: str) -> Any:
        item: Any = self._type(schema.get("items", True), (*place, "items"), f"{name}_item")
        limits: list[Any] = [Len(schema.get("minItems", 0), schema.get("maxItems"))]
        if schema.get("uniqueItems") is True:
            limits.append(AfterValidator(_unique))
        return _annotated(_generic(list, item), limits)

    def _object(self, schema: Mapping[str, Any], place: _Place, name: str) -> Any:
        properties = _dict(schema.get("properties", {}), place)
        if not properties:
            others = schema.get("additionalProperties", True)
            if others is False:
                return create_model(_class_name(name), __config__=_CONFIG)
            value: Any = self._type(others, (*place, "additionalProperties"), f"{name}_value")
            return _generic(dict, str, value)
        required = _list(schema.get("required", []), place)
        fields: dict[str, Any] = {}
        for wire, part in properties.items():
            hidden = self.resolved(part, (*place, wire)).get("writeOnly" if self._answers else "readOnly")
            if hidden is True:
                continue
            field = field_name(wire)
            if field in fields:
                _refuse(place, f"{wire!r} and another property are both called {field!r} here")
            made = self._type(part, (*place, wire), f"{name}_{field}")
            said = part.get("description") if isinstance(part, dict) else None
            words = said if isinstance(said, str) else None
            if wire in required:
                fields[field] = (made, Field(alias=wire, description=words))
            else:
                fields[field] = (made | None, Field(default=None, alias=wire, description=words))
        config = ConfigDict(**_CONFIG, extra="ignore" if self._answers else "forbid")
        try:
            return create_model(_class_name(name), __config__=config, **fields)
        except (PydanticSchemaGenerationError, PydanticUserError, SchemaError, ValueError, TypeError) as error:
            _refuse(place, f"no model can be made of it: {str(error).splitlines()[0]}")


def field_name(wire: str) -> str:
    """A name for expressions and paths: ``order-id`` is ``order_id``."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", wire).strip("_") or "value"
    name = f"n{name}" if name[0].isdigit() else name
    return f"{name}_" if hasattr(BaseModel, name) else name


_COMBINED = {"allOf", "oneOf", "anyOf"}
_IMPLIED = {"properties": "object", "additionalProperties": "object", "items": "array", "pattern": "string"}


def _literal(values: list[Any], place: _Place) -> Any:
    odd = [value for value in values if not isinstance(value, str | int | None)]
    if odd or not values:
        _refuse(place, "an enum of texts, whole numbers, true and false can be said in a model, and no other")
    return Literal[tuple(values)]


def _pattern(pattern: str, place: _Place) -> Any:
    """The pattern as pydantic takes it; one that needs to look around is searched for within limits."""
    try:
        TypeAdapter(Annotated[str, Text(pattern=pattern)])
        return Text(pattern=pattern)
    except SchemaError:
        pass
    try:
        compiled = regex.compile(pattern)
    except regex.error as error:
        _refuse(place, f"the pattern {pattern!r} cannot be read: {error}")

    def fits(text: str) -> str:
        if compiled.search(text, timeout=PATTERN_SECONDS) is None:
            raise ValueError(f"should match {pattern!r}")
        return text

    return AfterValidator(fits)


def _is_null(schema: Mapping[str, Any]) -> bool:
    return (
        schema.get("type") == "null" or schema.get("enum") == [None] or ("const" in schema and schema["const"] is None)
    )


def _generic(kind: Any, *inside: Any) -> Any:
    return kind[inside]


def _annotated(kind: Any, limits: list[Any]) -> Any:
    for limit in limits:
        kind = Annotated[kind, limit]
    return kind


def _exact(number: int | float | Decimal) -> int | Decimal:
    return Decimal(repr(number)) if isinstance(number, float) else number


def _only_text(value: Any) -> Any:
    if isinstance(value, str | date):
        return value
    raise ValueError("should be a text")


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("should have a timezone")
    return value


def _only_number(value: Any) -> Any:
    if isinstance(value, str | bool):
        raise ValueError("should be a number")
    return value


def _unique(items: list[Any]) -> list[Any]:
    if any(item in items[:number] for number, item in enumerate(items)):
        raise ValueError("should have no item twice")
    return items


def _dict(value: Any, place: _Place) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(place, "has something else where fields should be")
    return value


def _list(value: Any, place: _Place) -> list[Any]:
    if not isinstance(value, list):
        _refuse(place, "has something else where a list should be")
    return value


def _last(reference: str) -> str:
    return reference.rpartition("/")[2] or reference


def _class_name(name: str) -> str:
    return re.sub(r"\W", "_", name) or "Value"


def _how_to_read_it(known: object) -> str:
    return f'to read it as it comes, add text_formats = ["{known}"]'


def _refuse(place: _Place, message: str) -> NoReturn:
    raise Unsupported(f"{'.'.join(place) or 'its schema'}: {message}")
