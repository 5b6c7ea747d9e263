"""Labels: how far a value may be trusted, whose record it is, who may be told, and where it came from.

A label travels with its value through paths, templates and `select`. What nobody labelled is untrusted, and for the
tenant's own people only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import reduce

from pydantic import JsonValue

Path = tuple[str | int, ...]
SEVERAL = "several customers"
WITHHELD = "[withheld]"
STAFF = "staff"
"""The reader that stands for the tenant's own people and systems."""


class Integrity(IntEnum):
    """Who vouches for a value, weakest first."""

    UNTRUSTED = 0
    """Words of customers, pages, knowledge and models."""
    DIRECTORY = 1
    """The helpdesk authenticated it: the requester's e-mail address."""
    SYSTEM = 2
    """The system of record says so."""
    PLAN = 3
    """Written in the procedure."""
    OPERATOR = 4
    """Written in the deployment's settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The label of one value."""

    integrity: Integrity
    origins: frozenset[str] = frozenset()
    """Where it came from, for people: ``message m-1``, ``step orders``."""
    owner: str | None = None
    """The e-mail address of the requester whose record this is; None when nobody checked. `SEVERAL` for a value
    made from the records of more than one."""
    readers: frozenset[str] | None = None
    """Who may be told: e-mail addresses of requesters, and `STAFF`. None is anyone; nobody is a secret."""

    def join(self, other: Label) -> Label:
        """The label of a value made from both: the weaker integrity, the readers of both; an owner is never lost."""
        owners = {owner for owner in (self.owner, other.owner) if owner is not None}
        return Label(
            integrity=min(self.integrity, other.integrity),
            origins=self.origins | other.origins,
            owner=owners.pop() if len(owners) == 1 else (SEVERAL if owners else None),
            readers=_both(self.readers, other.readers),
        )

    def for_eyes_of(self, reader: str | None) -> bool:
        """True if ``reader`` (None: anyone) may be told the value."""
        return self.readers is None or (reader is not None and reader in self.readers)


def _part(data: JsonValue, part: str | int) -> JsonValue:
    match data, part:
        case list(), int() if 0 <= part < len(data):
            return data[part]
        case dict(), str() if part in data:
            return data[part]
        case _:
            raise LookupError(part)


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return other if one is None else one if other is None else one & other


UNTRUSTED = Label(integrity=Integrity.UNTRUSTED, readers=frozenset({STAFF}))
"""What nobody labelled."""
PLAN = Label(integrity=Integrity.PLAN, origins=frozenset({"procedure"}))


def join_all(labels: Iterable[Label]) -> Label:
    """The join of several labels; of none: a literal of the plan."""
    found = list(labels)
    return reduce(Label.join, found) if found else PLAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Plain data with a label, and finer labels for the parts that have their own."""

    data: JsonValue
    label: Label
    parts: Mapping[tuple[str, ...], Label] = field(default_factory=dict)
    """Field path (list positions left out) to label; the longest prefix counts, else ``label``."""

    def at(self, path: Path) -> Labelled:
        """The part of the value at ``path``.

        Raises:
            LookupError: there is nothing at ``path``.
        """
        data = self.data
        for part in path:
            data = _part(data, part)
        fields = tuple(part for part in path if isinstance(part, str))
        inner = {key[len(fields) :]: label for key, label in self.parts.items() if key[: len(fields)] == fields}
        return Labelled(
            data=data, label=self._label_of(fields), parts={key: label for key, label in inner.items() if key}
        )

    def reach(self, path: Iterable[str | int]) -> Labelled:
        """The part at ``path``, or the smallest one on the way there that exists."""
        value = self
        for part in path:
            try:
                value = value.at((part,))
            except LookupError:
                break
        return value

    def weakest(self) -> Label:
        """One label for the value with all its parts."""
        return join_all([self.label, *self.parts.values()]) if isinstance(self.data, dict | list) else self.label

    def without_secrets(self) -> JsonValue:
        """The data with `WITHHELD` in the place of every part that nobody may be told."""
        return self._shown(self.data, ())

    def shown_label(self) -> Label:
        """One label for what `without_secrets` leaves; of nothing but secrets, one that names no reader but staff."""
        labels = [label for label in (self.label, *self.parts.values()) if label.readers != frozenset()]
        return join_all(labels) if labels else UNTRUSTED

    def _shown(self, data: JsonValue, fields: tuple[str, ...]) -> JsonValue:
        if self._label_of(fields).readers == frozenset():
            inner = [key for key in self.parts if key[: len(fields)] == fields and len(key) > len(fields)]
            if not (isinstance(data, dict) and any(self.parts[key].readers != frozenset() for key in inner)):
                return WITHHELD
        match data:
            case dict():
                return {name: self._shown(value, (*fields, name)) for name, value in data.items()}
            case list():
                return [self._shown(value, fields) for value in data]
            case _:
                return data

    def weakened(self, by: Label) -> Labelled:
        """The same data, every label joined with ``by``."""
        return Labelled(
            data=self.data,
            label=self.label.join(by),
            parts={key: label.join(by) for key, label in self.parts.items()},
        )

    def owned(self, owner: str) -> Labelled:
        """The same data, known to be records of ``owner``."""
        return Labelled(
            data=self.data,
            label=replace(self.label, owner=owner),
            parts={key: replace(label, owner=owner) for key, label in self.parts.items()},
        )

    def read_by(self, readers: Mapping[tuple[str, ...], frozenset[str] | None]) -> Labelled:
        """The same data, each part with the readers that the longest prefix of its path has."""
        parts = {key: self._label_of(key) for key in {*self.parts, *(path for path in readers if path)}}
        return Labelled(
            data=self.data,
            label=replace(self.label, readers=readers[()]),
            parts={key: replace(label, readers=_longest(readers, key)) for key, label in parts.items()},
        )

    def _label_of(self, fields: tuple[str, ...]) -> Label:
        for length in range(len(fields), 0, -1):
            if fields[:length] in self.parts:
                return self.parts[fields[:length]]
        return self.label


def _longest(readers: Mapping[tuple[str, ...], frozenset[str] | None], path: tuple[str, ...]) -> frozenset[str] | None:
    return readers[next(path[:length] for length in range(len(path), -1, -1) if path[:length] in readers)]
