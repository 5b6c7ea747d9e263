"""JSON Schemas as providers take them for answers that must keep to one."""

from __future__ import annotations

from typing import Any


def closed(schema: Any) -> Any:
    """The same schema with every object closed (``additionalProperties: false``), as providers demand."""
    match schema:
        case dict():
            inner = {key: closed(value) for key, value in schema.items()}
            if inner.get("type") == "object":
                inner.setdefault("additionalProperties", False)
            return inner
        case list():
            return [closed(value) for value in schema]
    return schema


def strict(schema: Any) -> bool:
    """True if every object is closed and requires all that it has: OpenAI's strict mode takes only such ones."""
    match schema:
        case dict():
            if schema.get("type") == "object" and (
                schema.get("additionalProperties") is not False
                or set(schema.get("required", ())) != set(schema.get("properties", {}))
            ):
                return False
            return all(strict(value) for value in schema.values())
        case list():
            return all(strict(value) for value in schema)
    return True
