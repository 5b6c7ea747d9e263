"""Sample records made from output models: what expressions and paths are tried on before anything runs."""

from __future__ import annotations

import types
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue

from agents.money import Money


def sample(model: type[BaseModel]) -> dict[str, JsonValue]:
    """One record of ``model`` as JSON data, every field filled, lists with one item."""
    return _record(model, ())


def _record(model: type[BaseModel], inside: tuple[type, ...]) -> dict[str, Any]:
    fields = {name: field.annotation for name, field in model.model_fields.items()}
    fields |= {name: field.return_type for name, field in model.model_computed_fields.items()}
    return {name: _value(annotation, (*inside, model)) for name, annotation in fields.items()}


def _value(annotation: Any, inside: tuple[type, ...]) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(arguments[0], inside)
    if origin is Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return _value(next(argument for argument in arguments if argument is not type(None)), inside)
    if origin in (list, tuple, set, frozenset):
        return [_value(arguments[0], inside)] if arguments and arguments[0] not in inside else []
    if origin is dict:
        return {}
    if isinstance(annotation, type):
        if issubclass(annotation, Money):
            return {"minor": 100, "currency": "USD"}
        if issubclass(annotation, BaseModel):
            return None if annotation in inside else _record(annotation, inside)
        if issubclass(annotation, Enum):
            return next(iter(annotation)).value
    return {
        bool: True,
        int: 1,
        str: "text",
        float: 1.5,
        Decimal: "1.00",
        datetime: datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
        date: "2026-01-01",
    }.get(annotation)
