"""Asking the library: what comes back are statements of articles, to be quoted whole and cited, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from agents.errors import ToolFailed
from agents.knowledge import Hit, cited
from agents.tools.tool import ToolContext, tool

MAX_STATEMENTS = 3
"""Statements of an answer."""
MAX_FOUND = 20
"""Passages that are looked at for an answer, and the most that a search returns."""
CLOSE = 0.7
"""A further statement belongs to an answer if its relevance is at least this share of the best one's."""


class Source(BaseModel):
    """One statement, and where it stands."""

    article: str
    version: str
    title: str
    heading: str
    """Empty for what stands under the title alone."""
    language: str
    quote: str
    """The statement as a reply may quote it, its heading ahead of it."""
    citation: str
    """``[returns-policy v3]``"""


class Found(BaseModel):
    """What a search found, best first."""

    found: bool
    """False if the library has no source for it."""
    statements: list[Source]


class Answer(BaseModel):
    """What one article says about a question."""

    found: bool
    """False if the library has no source; all the rest is empty then, and nothing may be answered."""
    article: str
    version: str
    title: str
    language: str
    statements: list[Source]
    """In the order of the article."""
    text: str
    """The quotes, each with its citation, a blank line between them: ready for a reply."""


@tool(effect="read", name="knowledge.search", readers={"": "requester"})
def search(ctx: ToolContext, question: str) -> Found:
    """Find statements about a question in the articles that this requester may read."""
    hits = _hits(ctx, question)
    return Found(found=bool(hits), statements=[_source(hit) for hit in hits])


@tool(effect="read", name="knowledge.answer", readers={"": "requester"})
def answer(ctx: ToolContext, question: str) -> Answer:
    """Answer a question with statements of the one article that is closest to it."""
    hits = _hits(ctx, question)
    if not hits:
        return Answer(found=False, article="", version="", title="", language="", statements=[], text="")
    best = max(hits, key=lambda hit: hit.relevance)
    same = [hit for hit in hits if hit.passage.article == best.passage.article]
    near = [hit for hit in same if hit.relevance >= CLOSE * best.relevance]
    near.sort(key=lambda hit: (-hit.relevance, hit.passage.number))
    chosen = sorted(near[:MAX_STATEMENTS], key=lambda hit: hit.passage.number)
    statements = [_source(hit) for hit in chosen]
    first = statements[0]
    return Answer(
        found=True,
        article=first.article,
        version=first.version,
        title=first.title,
        language=first.language,
        statements=statements,
        text="\n\n".join(f"{each.quote} {each.citation}" for each in statements),
    )


def _hits(ctx: ToolContext, question: str) -> Sequence[Hit]:
    if ctx.library is None:
        raise ToolFailed("this deployment has no knowledge/ folder", code="no_library")
    return ctx.library.find(
        question, email=ctx.requester_email, language=ctx.language, at=ctx.clock.now(), limit=MAX_FOUND
    )


def _source(hit: Hit) -> Source:
    passage = hit.passage
    return Source(
        article=passage.article,
        version=passage.version,
        title=passage.title,
        heading=passage.statement.heading,
        language=passage.language,
        quote=passage.statement.quote,
        citation=cited(passage.article, passage.version),
    )
