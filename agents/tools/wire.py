"""Arguments and answers as they travel: JSON with the other side's names, and numbers that keep their digits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NoReturn

from pydantic import BaseModel

from agents.errors import ToolFailed


def to_wire(model: type[BaseModel], args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the other side names them, as JSON data; what is optional and None is left out.

    Raises:
        ToolFailed: a number has more digits than JSON's numbers carry.
    """
    sent = {}
    for name, info in model.model_fields.items():
        if args[name] is not None or info.is_required():
            sent[info.alias or name] = _plain(args[name])
    return sent


def from_wire(data: bytes | str) -> Any:
    """JSON without floats: numbers with a fraction are Decimal. `ValueError` if it is no JSON."""
    try:
        return json.loads(data, parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None


def without_floats(data: Any) -> Any:
    """The same JSON data with every float as a Decimal of the digits it was written with."""
    match data:
        case float():
            return Decimal(repr(data))
        case dict():
            return {key: without_floats(value) for key, value in data.items()}
        case list():
            return [without_floats(value) for value in data]
    return data


def _plain(value: Any) -> Any:
    match value:
        case BaseModel():
            return to_wire(type(value), {name: getattr(value, name) for name in type(value).model_fields})
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            if value == value.to_integral_value():
                return int(value)
            if Decimal(repr(float(value))) != value:
                raise ToolFailed(f"{value} has more digits than can be sent", code="bad_argument")
            return float(value)
    return value


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
