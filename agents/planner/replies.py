"""Replies: what the requester reads, written by the tenant, one file per reply and language.

``replies/refund-done.de.md`` is the German text of the reply ``refund-done``. ``${name}`` places are filled from the
step's ``with``; ``${requester_name}`` is always there. Nothing else in the text is interpreted. ``frame.de.md``, if it
exists, is put around every reply in German where it says ``${body}``: the greeting and the closing, written once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agents.documents import NOT_UTF_8
from agents.errors import InvalidDocument, Problem
from agents.money import Money

_FILE = re.compile(r"([a-z0-9-]+)\.([a-z]{2})\.md")
_PLACE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
ALWAYS = frozenset({"requester_name"})
FALLBACK = "en"
FRAME = "frame"
"""The reply that holds every other."""


class Replies:
    """All replies of one deployment."""

    def __init__(self, texts: Mapping[tuple[str, str], str]) -> None:
        """``texts`` maps (name, language) to a template."""
        self._texts = dict(texts)

    @classmethod
    def load(cls, folder: Path) -> Replies:
        """Read every ``NAME.LANG.md`` in ``folder``; `InvalidDocument` lists whatever is wrong with any of them."""
        replies, problems = cls.read(folder)
        if problems:
            raise InvalidDocument(problems)
        return replies

    @classmethod
    def read(cls, folder: Path) -> tuple[Replies, list[Problem]]:
        """As `load`, but what is wrong comes beside what could be read; a reply that could not is an empty one."""
        texts: dict[tuple[str, str], str] = {}
        problems = []
        for path in sorted(folder.glob("*")):
            match = _FILE.fullmatch(path.name)
            if match is None:
                problems.append(
                    Problem(
                        file=str(path),
                        line=None,
                        field="",
                        message="name replies NAME.LANG.md, for example refund-done.en.md",
                    )
                )
                continue
            try:
                text = path.read_text(encoding="utf-8").strip()
            except UnicodeDecodeError:
                problems.append(Problem(file=str(path), line=None, field="", message=NOT_UTF_8))
                text = ""
            except OSError as error:
                problems.append(
                    Problem(file=str(path), line=None, field="", message=f"cannot be read: {error.strerror}")
                )
                text = ""
            if not text and not any(problem.file == str(path) for problem in problems):
                problems.append(Problem(file=str(path), line=1, field="", message="is empty; a reply needs words"))
            for place in _PLACE.finditer(text):
                if not _NAME.fullmatch(place.group(1)):
                    line = text[: place.start()].count("\n") + 1
                    message = (
                        f"{place.group(0)} is not a plain name in ${{}}; write ${{order_id}}, and fill it in `with`"
                    )
                    problems.append(Problem(file=str(path), line=line, field="", message=message))
            if match.group(1) == FRAME and set(_PLACE.findall(text)) - ALWAYS != {"body"}:
                message = "the frame of all replies needs ${body}, and may have ${requester_name}; no more"
                problems.append(Problem(file=str(path), line=None, field="", message=message))
            texts[match.group(1), match.group(2)] = text
        names = {name for name, _ in texts}
        problems += [
            Problem(
                file=str(folder / f"{name}.{FALLBACK}.md"),
                line=None,
                field="",
                message="is missing; other languages exist",
            )
            for name in sorted(names)
            if (name, FALLBACK) not in texts
        ]
        return cls(texts), problems

    def names(self) -> frozenset[str]:
        """Names of all replies."""
        return frozenset(name for name, _ in self._texts)

    def languages(self) -> frozenset[str]:
        """Languages in which there is at least one reply."""
        return frozenset(language for _, language in self._texts)

    def languages_of(self, name: str) -> frozenset[str]:
        """Languages in which there is this reply."""
        return frozenset(language for reply, language in self._texts if reply == name)

    def texts(self, name: str) -> Mapping[str, str]:
        """Language to template of this reply."""
        return {language: text for (reply, language), text in sorted(self._texts.items()) if reply == name}

    def places(self, name: str) -> frozenset[str]:
        """Names that the reply's texts, in all languages, want filled."""
        texts = [text for (reply, _), text in self._texts.items() if reply == name]
        found = {place for text in texts for place in _PLACE.findall(text) if _NAME.fullmatch(place)}
        return frozenset(found - ALWAYS)

    def render(self, name: str, language: str, values: Mapping[str, Any], *, requester_name: str) -> str:
        """The reply in ``language``, or in English where that language has none.

        Money is written as people of that language write it. Each place is filled once: a value that looks like a
        place stays as it is.
        """
        text = self._texts.get((name, language)) or self._texts[name, FALLBACK]
        filled = {"requester_name": requester_name, **values}
        return _PLACE.sub(lambda place: _written(filled[place.group(1)], language), text)

    def letter(self, bodies: Sequence[str], language: str, *, requester_name: str) -> str:
        """Rendered replies as one message: one below the other, in the frame of that language if there is one."""
        body = "\n\n".join(bodies)
        if FRAME not in self.names():
            return body
        return self.render(FRAME, language, {"body": body}, requester_name=requester_name)


def _written(value: Any, language: str) -> str:
    try:
        return Money.model_validate(value).text(language)
    except ValidationError:
        return str(value)
