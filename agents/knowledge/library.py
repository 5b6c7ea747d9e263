"""The library: an index, and the rules that say who may read what. It is what tools are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agents.knowledge.article import Groups, groups_of
from agents.knowledge.index import Hit, KnowledgeIndex

RELEVANT = 0.5
"""Share of a question that a passage must be about to count as a source for an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The articles of one tenant, as one requester at a time may read them."""

    index: KnowledgeIndex
    groups: Groups = field(default_factory=dict)
    base_language: str = "en"
    """Searched too where the requester's own language has no source."""

    def find(self, question: str, *, email: str, language: str, at: datetime, limit: int) -> Sequence[Hit]:
        """The passages that are about ``question``, best first; none where there is no source.

        ``email`` is the requester's as the helpdesk authenticated it: it decides what they may read.
        """
        audience = groups_of(email, self.groups)
        for each in dict.fromkeys((language, self.base_language)):
            hits = self.index.search(question, audience=audience, language=each, at=at, limit=limit)
            relevant = [hit for hit in hits if hit.relevance >= RELEVANT]
            if relevant:
                return relevant
        return []
