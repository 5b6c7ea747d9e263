"""Evaluating a contract's proof on a Case, and saying with which values it came out as it did."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from agents.errors import ExpressionError
from agents.expressions import Expression
from evaluators.case import Case, Subject

Values = Mapping[str, Any]

FIELDS = frozenset(
    {
        ("task", "id"),
        ("task", "requester", "email"),
        ("task", "requester", "domain"),
        *(("claim", name) for name in ("id", "outcome_type", "subject", "procedure", "language", "made_at")),
        *(("subject", name) for name in ("kind", "key")),
        *(("receipt", name) for name in ("key", "tool", "args", "result")),
    }
)
"""What a proof may read beside records; what is within a receipt's ``args`` and ``result`` depends on the tool."""
_PATH = re.compile(r"\b(before|after|task|claim|receipt|subject)((?:\.[A-Za-z_]\w*)+)")
_ABSENT = object()


def visible(case: Case) -> dict[str, Any]:
    """The values that a proof may read; the claim's reply and the requester's words are not among them."""
    claim, email = case.claim, case.requester_email
    values: dict[str, Any] = {
        "task": {"id": claim.task_id, "requester": {"email": email, "domain": email.rpartition("@")[2].casefold()}},
        "claim": {
            "id": claim.id,
            "outcome_type": claim.outcome_type,
            "subject": claim.subject,
            "procedure": claim.procedure,
            "language": claim.language,
            "made_at": claim.made_at,
        },
    }
    subject = Subject.parse(claim.subject)
    if subject is not None:
        values["subject"] = {"kind": subject.kind, "key": subject.key}
    if case.before is not None:
        values["before"] = case.before
    if case.after is not None:
        values["after"] = case.after
    receipt = case.effect()
    if receipt is not None:
        values["receipt"] = {
            "key": receipt.key,
            "tool": receipt.tool,
            "args": receipt.args,
            "result": receipt.result,
        }
    return values


def holds(expression: Expression, values: Values) -> bool:
    """Yes or no.

    Raises:
        ExpressionError: undetermined on these values, floats among them included.
    """
    try:
        return expression(values)
    except TypeError as error:
        raise ExpressionError(expression.source, f"undetermined: {error}") from None


def explain(expression: Expression, values: Values) -> str:
    """The values that ``expression`` read: ``refunded_minor was 0 before and is 0 now; receipt.key is "e1"``."""
    said: dict[str, None] = {}
    for name, path in _PATH.findall(expression.source):
        if name in ("before", "after") and "before" in values and "after" in values:
            was, now = _shown(values, "before", path), _shown(values, "after", path)
            said[f"{path[1:]} was {was} before and is {now} now"] = None
        elif name == "after":
            said[f"{path[1:]} is {_shown(values, name, path)}"] = None
        else:
            said[f"{name}{path} is {_shown(values, name, path)}"] = None
    return "; ".join(said) or f"`{expression.source}` reads no value"


def _shown(values: Values, name: str, path: str) -> str:
    value: Any = values.get(name, _ABSENT)
    for part in path[1:].split("."):
        value = value.get(part, _ABSENT) if isinstance(value, Mapping) else _ABSENT
    if value is _ABSENT:
        return "absent"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:79] + "…"
