"""Knowledge: articles that may be quoted to requesters, each statement with its article and version.

    knowledge/*.md *.html *.pdf ──► Article ──► Statement ──► index ──► Library ──► tools `knowledge.search`, `.answer`

`SqliteShelf` and `PostgresShelf` are in modules of their own, as are the embeddings.
"""

from agents.knowledge.article import PUBLIC, Article, Groups, Statement, cited, groups_of, readers
from agents.knowledge.index import Hit, KnowledgeIndex, Passage, PassageIndex
from agents.knowledge.library import Library
from agents.knowledge.reading import article_files, read_article, read_articles

__all__ = [
    "PUBLIC",
    "Article",
    "Groups",
    "Hit",
    "KnowledgeIndex",
    "Library",
    "Passage",
    "PassageIndex",
    "Statement",
    "article_files",
    "cited",
    "groups_of",
    "read_article",
    "read_articles",
    "readers",
]
