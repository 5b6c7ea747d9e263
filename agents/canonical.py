"""One way to turn data into bytes, so that hashes and signatures mean the same thing everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import BaseModel


def plain(value: Any) -> Any:
    """``value`` as JSON data: dataclasses and models become objects, times ISO text, Decimals text.

    Raises:
        TypeError: for floats (money is never a float, and floats have no canonical form) and unknown types.
    """
    match value:
        case None | bool() | int() | str():
            return value.value if isinstance(value, Enum) else value
        case Enum():
            return plain(value.value)
        case datetime():
            if value.tzinfo is None:
                raise TypeError("a naive datetime has no canonical form; times are aware UTC")
            return value.isoformat()
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case BaseModel():
            return {name: plain(getattr(value, name)) for name in type(value).model_fields}
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return sorted((plain(item) for item in value), key=repr)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no canonical form")


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces: equal data, equal bytes."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


def sha256_hex(data: bytes) -> str:
    """The sha256 of ``data`` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def fingerprint(value: Any) -> str:
    """The sha256 of ``value``'s canonical JSON."""
    return sha256_hex(canonical_json(value))
