"""An article: what may be quoted to whom, in which language, from when until when."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from agents.canonical import fingerprint

PUBLIC = "public"
"""The audience that every requester belongs to."""
Groups = Mapping[str, Sequence[str]]
"""Audience to the mail domains and addresses that belong to it, in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The smallest thing that is quoted, and always whole: a paragraph, or a list with the line that leads into it."""

    heading: str
    """The headings it stands under, without the article's title; empty at the top."""
    text: str

    @property
    def quote(self) -> str:
        """The words as a reply quotes them: under a heading, because without it they may mean something else."""
        if not self.heading:
            return self.text
        return f"{self.heading}{' ' if self.heading[-1] in '?!.:？！。：' else ': '}{self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One article as its file has it."""

    id: str
    """1 to 64 letters, digits, ``_`` and ``-``."""
    title: str
    version: str
    """As its author numbers it, or the first 8 digits of ``sha256`` where they do not."""
    numbered: bool
    """True if its author numbers the versions."""
    language: str
    """ISO 639-1"""
    audience: frozenset[str]
    """Groups that may read it."""
    valid_from: date | None
    """First day (UTC) on which it is valid; None for always."""
    valid_until: date | None
    """Last day (UTC) on which it is valid; None for ever."""
    statements: tuple[Statement, ...]
    file: str

    @property
    def sha256(self) -> str:
        """Fingerprint of everything that can be quoted, and of nothing else."""
        return words_sha256(self.title, self.statements)

    @property
    def whole_sha256(self) -> str:
        """Fingerprint of all that its file says, who may read it and when included."""
        days = [self.valid_from, self.valid_until]
        return fingerprint([self.id, self.version, self.language, self.audience, days, self.sha256])

    def valid_at(self, moment: datetime) -> bool:
        """True if ``moment`` (aware) lies within its days."""
        day = moment.astimezone(UTC).date()
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day <= self.valid_until
        )


def words_sha256(title: str, statements: Sequence[Statement]) -> str:
    """Fingerprint of a title and statements."""
    return fingerprint([title, *([each.heading, each.text] for each in statements)])


def groups_of(email: str, groups: Groups) -> frozenset[str]:
    """The audiences of the requester with this address; ``public`` is always among them.

    ``email`` has to be one that the helpdesk authenticated.
    """
    address = email.strip().casefold()
    domain = address.rpartition("@")[2]
    return frozenset({PUBLIC, *(name for name, members in groups.items() if address in members or domain in members)})


def cited(article: str, version: str) -> str:
    """How a reply cites an article: ``[returns-policy v3]``."""
    return f"[{article} v{version}]"


def readers(audience: Collection[str], groups: Groups) -> list[str]:
    """The mail domains and addresses that may read what is for ``audience``, sorted; ``public`` adds none."""
    return sorted({member for name in audience for member in groups.get(name, ())})
