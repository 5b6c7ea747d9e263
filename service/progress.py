"""What a desk is doing, told as it happens: the live display and the tests listen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing that just happened and is committed."""

    name: str
    """For example ``effect.done``, ``verdict.signed``, ``outcome.settled``, ``invoice.issued``."""
    ticket_id: str = ""
    data: dict[str, Any] = field(default_factory=dict)


Progress = Callable[[Moment], None]


def silent(moment: Moment) -> None:
    """Tell nobody."""
