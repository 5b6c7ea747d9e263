"""Reads a ``knowledge/`` folder: Markdown with front matter, HTML with meta tags, PDF with a YAML file beside it.

The fields are those of `Fields`, wherever they stand. Files that are wrong are all listed, with line and field; nothing
half-read is used.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from agents.documents import Source, load_model, nearest, parse_document, read_document
from agents.errors import InvalidDocument, Problem
from agents.knowledge.article import PUBLIC, Article, words_sha256
from agents.knowledge.markdown import blocks_of
from agents.knowledge.page import read_page
from agents.knowledge.pdf import read_pdf
from agents.knowledge.statements import Block, first_heading, statements_of
from agents.language import detect_language

MAX_TEXT_BYTES = 1024 * 1024
"""Largest Markdown or HTML file."""
MAX_PDF_BYTES = 20 * 1024 * 1024
LANGUAGES = frozenset({"de", "en", "es", "fr", "zh"})
"""Languages that are told from the words where an article does not name its own."""

_TEXT = (".md", ".html", ".htm")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp")
_STEM = re.compile(r"(.+?)\.([a-z]{2})")
_LINE_END = re.compile(r"\r\n?|\u2028|\u2029")


def _names(value: Any) -> Any:
    return re.split(r"[\s,]+", value.strip()) if isinstance(value, str) else value


class Fields(BaseModel):
    """What an article says about itself; everything may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """The file's name without its ending (``returns.de.md`` is ``returns-de``) if missing."""
    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The first heading if missing, else the id."""
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")] | None = None
    """The first digits of a hash of the words if missing."""
    audience: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")], ...],
        BeforeValidator(_names),
        Field(min_length=1),
    ] = (PUBLIC,)
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] | None = None
    """ISO 639-1; that of the file's name (``returns.de.md``) if missing, else told from the words."""
    valid_from: date | None = None
    """First valid day."""
    valid_until: date | None = None
    """Last valid day."""

    @model_validator(mode="after")
    def _in_order(self) -> Fields:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValueError(f"valid_until {self.valid_until} is before valid_from {self.valid_from}")
        return self


def read_articles(
    folder: Path, *, audiences: Collection[str] | None = None
) -> tuple[tuple[Article, ...], list[Problem]]:
    """Every sound article below ``folder``, by id, and everything wrong with the others; nothing without a folder.

    ``audiences`` are the groups that exist beside ``public``: an article for any other is a problem. None accepts all.
    """
    articles: list[Article] = []
    problems: list[Problem] = []
    for path in article_files(folder):
        try:
            article = read_article(path)
        except InvalidDocument as error:
            problems += error.problems
            continue
        articles.append(article)
        if audiences is not None:
            for name in sorted(article.audience - {PUBLIC, *audiences}):
                hint = nearest(name, {PUBLIC, *audiences})
                message = f"settle.toml has no [knowledge.audiences] {name}; {hint}"
                problems.append(Problem(file=str(path), line=None, field="audience", message=message))
    problems += _strangers(folder)
    files: dict[str, list[str]] = defaultdict(list)
    for article in articles:
        files[article.id.casefold()].append(article.file)
    problems += [
        Problem(file=found[1], line=None, field="id", message=f"{name!r} is the id of {found[0]} too")
        for name, found in sorted(files.items())
        if len(found) > 1
    ]
    return tuple(sorted(articles, key=lambda article: article.id)), problems


def article_files(folder: Path) -> list[Path]:
    """The files below ``folder`` that are articles, sorted."""
    return [path for path in _visible(folder) if path.suffix.lower() in (*_TEXT, ".pdf")]


def read_article(path: Path) -> Article:
    """The article in the file ``path``; `InvalidDocument` if it cannot be used."""
    match path.suffix.lower():
        case ".pdf":
            fields, blocks, title = _pdf(path)
        case ".md":
            fields, blocks, title = _markdown(path, _text_of(path))
        case _:
            fields, blocks, title = _html(path, _text_of(path))
    named = _STEM.fullmatch(path.stem)
    key = fields.id or (f"{named[1]}-{named[2]}" if named else path.stem)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key):
        raise _wrong(path, f"{key!r} cannot be an id: give one with 1 to 64 letters, digits, _ or -", field="id")
    title = fields.title or first_heading(blocks) or title[:200] or key
    statements = statements_of(blocks, title=title)
    if not statements:
        raise _wrong(path, "has no words that could be quoted; write at least one paragraph")
    words = "\n".join([title, *(each.quote for each in statements)])
    return Article(
        id=key,
        title=title,
        version=fields.version or words_sha256(title, statements)[:8],
        numbered=fields.version is not None,
        language=fields.language or (named[2] if named else detect_language(words, among=LANGUAGES)),
        audience=frozenset(fields.audience),
        valid_from=fields.valid_from,
        valid_until=fields.valid_until,
        statements=statements,
        file=str(path),
    )


def _markdown(path: Path, text: str) -> tuple[Fields, tuple[Block, ...], str]:
    fields = Fields()
    if text.startswith("---\n"):
        end = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE).search(text, 4)
        if end is None:
            raise _wrong(path, "its front matter never ends; close it with a line ---", line=1)
        source = parse_document("\n" + text[4 : end.start()], str(path))
        fields = _typed(source)
        text = "\n" * text.count("\n", 0, end.end()) + text[end.end() :]
    return fields, tuple(blocks_of(text)), ""


def _html(path: Path, text: str) -> tuple[Fields, tuple[Block, ...], str]:
    page = read_page(text)
    if page.cut_at is not None:
        line = text.count("\n", 0, page.cut_at) + 1
        raise _wrong(path, "a tag, a comment or a hidden element begins here and never ends", line=line)
    data = {name: value for name, value in page.meta.items() if name in Fields.model_fields and value}
    if page.language and "language" not in data:
        data["language"] = page.language
    return _typed(Source(str(path), data, {(): 1})), page.blocks, page.title


def _pdf(path: Path) -> tuple[Fields, tuple[Block, ...], str]:
    try:
        pdf = read_pdf(_bytes_of(path, MAX_PDF_BYTES))
    except ValueError as error:
        raise _wrong(path, str(error)) from None
    beside = path.with_suffix(".yaml")
    fields = _typed(read_document(beside)) if beside.exists() else Fields()
    return fields, pdf.blocks, pdf.title


def _typed(source: Source) -> Fields:
    if source.data is not None and not isinstance(source.data, dict):
        raise InvalidDocument([source.problem((), "is not a list of fields such as `version: 3`")])
    return load_model(source, Fields)


def _text_of(path: Path) -> str:
    data = _bytes_of(path, MAX_TEXT_BYTES)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _wrong(path, "is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _wrong(path, "is not UTF-8 from here on; save it as UTF-8", line=line) from None
    if "\x00" in text:
        raise _wrong(path, "holds zero bytes: it is not text", line=text.count("\n", 0, text.index("\x00")) + 1)
    return _LINE_END.sub("\n", text)


def _bytes_of(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from None
    if len(data) > most:
        raise _wrong(path, f"is larger than {most // 1024:,} kB; divide it")
    if not data.strip():
        raise _wrong(path, "is empty")
    return data


def _strangers(folder: Path) -> Iterator[Problem]:
    for path in _visible(folder):
        ending = path.suffix.lower()
        if ending in (*_TEXT, ".pdf", *_PICTURES):
            continue
        if ending == ".yaml":
            if not path.with_suffix(".pdf").exists():
                message = "describes no article: there is no PDF of this name beside it"
                yield Problem(file=str(path), line=None, field="", message=message)
            continue
        message = "is no article; they end in .md, .html or .pdf"
        yield Problem(file=str(path), line=None, field="", message=message)


def _visible(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _wrong(path: Path, message: str, *, line: int | None = None, field: str = "") -> InvalidDocument:
    return InvalidDocument([Problem(file=str(path), line=line, field=field, message=message)])
