"""Reading articles: what is quoted from files of every kind, and what is said about files that cannot be used."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter

from agents.errors import InvalidDocument, Problem
from agents.knowledge import Article, Statement, groups_of, read_article, read_articles
from agents.knowledge.markdown import blocks_of
from agents.knowledge.page import read_page
from agents.knowledge.statements import MAX_STATEMENT, Block, Kind, statements_of
from tests.agents.knowledge.writing import article, day, write_pdf


def read(folder: Path, text: str, name: str = "a.md") -> Article:
    (folder / name).write_text(text, encoding="utf-8")
    return read_article(folder / name)


def quotes(found: Article) -> list[str]:
    return [statement.quote for statement in found.statements]


def refused(path: Path) -> Problem:
    with pytest.raises(InvalidDocument) as error:
        read_article(path)
    (problem,) = error.value.problems
    assert problem.file.startswith(str(path.parent))
    return problem


def test_front_matter_headings_lists_and_inline_markup(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """---
id: returns-policy
version: 3
audience: [public, partners]
language: en
valid_from: 2026-01-01
valid_until: 2026-12-31
---
# Returns

You can **return** it within *30 days*, see [the form](https://acme.example/form) or `snake_case`
and write to <help@acme.example>.

## Sale items

These cannot be returned:

* mugs
* plates,
  also large ones

Refunds
=======

> No \\*refund\\* for &lt;gifts&gt;.<br>Really.

<!-- Refunds are
always possible -->
| a | b |
|---|---|
| 1 | **2** |

---
![a picture](x.png)
```
code_stays __as__ it is
```
""",
    )
    assert (found.id, found.title, found.version, found.numbered) == ("returns-policy", "Returns", "3", True)
    assert found.audience == {"public", "partners"}
    assert (found.valid_from, found.valid_until) == (day("2026-01-01"), day("2026-12-31"))
    assert quotes(found) == [
        "You can return it within 30 days, see the form (https://acme.example/form) or snake_case and write to "
        "help@acme.example.",
        "Sale items: These cannot be returned:\n- mugs\n- plates, also large ones",
        "Refunds: No *refund* for <gifts>. Really.",
        "Refunds: a | b\n1 | 2",
        "Refunds: code_stays __as__ it is",
    ]


def test_a_page_is_read_without_its_markup(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """<!DOCTYPE html><html lang="de-AT"><head><title> Garantie &amp; mehr </title>
        <meta name="version" content="2"><meta name="audience" content="public, partners">
        <meta name="viewport" content="width=1"><style>x { }</style></head><body>
        <h1>Garantie &amp; mehr</h1><div>Zwei Jahre<br>auf <b>alles</b>.</div>
        <h2>Ausnahmen</h2><p>Nicht für:</p><ul><li><p>Glas</p></li> <li>Holz</li></ul>
        <script>alert("<p>Immer.</p>")</script><p onclick="x()">1 &lt; 2</p><!-- <p>Nie.</p> -->
        <table><tr><td>a</td><td>b</td></tr></table></body></html>""",
        "garantie.html",
    )
    assert (found.id, found.title, found.version, found.language) == ("garantie", "Garantie & mehr", "2", "de")
    assert found.audience == {"public", "partners"}
    assert quotes(found) == [
        "Zwei Jahre auf alles.",
        "Ausnahmen: Nicht für:\n- Glas\n- Holz",
        "Ausnahmen: 1 < 2",
        "Ausnahmen: a | b",
    ]


def test_a_pdf_is_read_page_by_page_with_the_fields_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "terms.pdf"
    write_pdf(path, ["Orders over 500 EUR are deliv-", "ered free."], ["Claims end after a year."], title="Terms")
    plain = read_article(path)
    assert (plain.id, plain.title, plain.numbered, plain.audience) == ("terms", "Terms", False, frozenset({"public"}))
    assert quotes(plain) == ["Orders over 500 EUR are delivered free.", "Claims end after a year."]
    (tmp_path / "terms.yaml").write_text("version: 2026.1\naudience: partners\n")
    beside = read_article(path)
    assert (beside.version, beside.audience) == ("2026.1", frozenset({"partners"}))
    (tmp_path / "terms.yaml").write_text("version: 2\nvalid_till: 2026-01-01\n")
    problem = refused(path)
    assert (problem.file, problem.line) == (str(tmp_path / "terms.yaml"), 2)
    assert "did you mean 'valid_until'?" in problem.message


def test_a_pdf_with_a_password_without_text_or_broken_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "x.pdf"
    write_pdf(path, ["Words."])
    writer = PdfWriter()
    writer.append(PdfReader(io.BytesIO(path.read_bytes())))
    writer.encrypt("secret", algorithm="RC4-128")
    with path.open("wb") as file:
        writer.write(file)
    assert "needs a password" in refused(path).message
    write_pdf(path, [])
    assert "no text" in refused(path).message
    path.write_bytes(b"%PDF-1.4\nbroken")
    assert "not a PDF that can be read" in refused(path).message


@pytest.mark.parametrize(
    ("name", "data", "line", "said"),
    [
        ("a.md", b"", None, "is empty"),
        ("a.md", b"---\nversion: 1\n---\n", None, "no words"),
        ("a.md", b"---\nversion: 1\n", 1, "never ends"),
        ("a.md", b"---\nversion: 1\nowner: me\n---\nWords.", 3, "not a known field"),
        ("a.md", b"---\n- a\n---\nWords.", None, "fields such as"),
        ("a.md", b"---\nversion: [\n---\nWords.", 3, "not YAML"),
        ("a.md", b"---\n\nlanguage: english\n---\nWords.", 3, "pattern"),
        ("a.md", b"---\naudience: []\n---\nWords.", 2, "at least 1"),
        ("a.md", b"---\nvalid_from: soon\n---\nWords.", 2, "date"),
        ("a.md", b"---\nvalid_from: 2026-02-01\nvalid_until: 2026-01-01\n---\nWords.", None, "before valid_from"),
        ("a.md", b"Words.\nGr\xfc\xdfe", 2, "not UTF-8"),
        ("a.md", "Words".encode("utf-16"), None, "UTF-16"),
        ("a.md", b"a\nb\x00c", 2, "zero bytes"),
        ("a.md", b"x" * (1024 * 1024 + 1), None, "larger than 1,024 kB"),
        ("a b.md", b"Words.", None, "cannot be an id"),
        ("a.html", b"<p>Words.</p>\n<p>More <b", 2, "never ends"),
        ("a.html", b"<p>Words.</p>\n\n<!-- More", 3, "never ends"),
        ("a.html", b"<p>Words.</p><script>x", 1, "never ends"),
        ("a.html", b'<meta name="version" content="a b"><p>Words.</p>', 1, "pattern"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_line(
    tmp_path: Path, name: str, data: bytes, line: int | None, said: str
) -> None:
    (tmp_path / name).write_bytes(data)
    problem = refused(tmp_path / name)
    assert said in problem.message
    assert line is None or problem.line == line


def test_all_that_is_wrong_in_a_folder_is_listed_and_the_rest_is_read(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / ".drafts").mkdir()
    (tmp_path / ".drafts" / "x.md").write_text("")
    (tmp_path / "deep" / "a.md").write_text("Words.")
    (tmp_path / "b.md").write_text("---\nid: A\n---\nWords.")
    (tmp_path / "c.md").write_text("---\naudience: staff\n---\nWords.")
    (tmp_path / "d.yaml").write_text("version: 1")
    (tmp_path / "e.png").write_bytes(b"x")
    (tmp_path / "f.txt").write_text("Words.")
    (tmp_path / "g.md").write_text("")
    articles, problems = read_articles(tmp_path, audiences=["partners"])
    assert [one.id for one in articles] == ["A", "a", "c"]
    assert sorted((Path(one.file).name, one.field) for one in problems) == [
        ("a.md", "id"),
        ("c.md", "audience"),
        ("d.yaml", ""),
        ("f.txt", ""),
        ("g.md", ""),
    ]
    assert read_articles(tmp_path / "nowhere") == ((), [])


def test_the_language_is_named_or_told_from_the_words(tmp_path: Path) -> None:
    assert read(tmp_path, "Sie können es nicht zurückgeben, wenn es benutzt ist.").language == "de"
    assert read(tmp_path, "商品可在收货后30天内退货。").language == "zh"
    assert read(tmp_path, "Words.", "x.fr.md").language == "fr"
    assert read(tmp_path, "Words.", "x.fr.md").id == "x-fr"
    assert read(tmp_path, "---\nlanguage: ja\n---\nWords.", "x.fr.md").language == "ja"


def test_without_a_number_every_change_of_words_is_a_new_version(tmp_path: Path) -> None:
    first = read(tmp_path, "# A\n\nYou can.")
    assert read(tmp_path, "# A\r\n\r\n  You\n**can**.\n").version == first.version
    assert read(tmp_path, "# A\n\nYou cannot.").version != first.version
    assert read(tmp_path, "# B\n\nYou can.").version != first.version


@pytest.mark.parametrize(
    ("moment", "valid"),
    [
        ("2026-01-31T23:59:59+00:00", False),
        ("2026-02-01T00:00:00+00:00", True),
        ("2026-02-01T00:30:00+02:00", False),
        ("2026-02-28T23:59:59+00:00", True),
        ("2026-03-01T00:00:00+00:00", False),
    ],
)
def test_validity_is_whole_days_in_utc(moment: str, valid: bool) -> None:
    february = article("a", valid_from=day("2026-02-01"), valid_until=day("2026-02-28"))
    assert february.valid_at(datetime.fromisoformat(moment)) is valid
    assert article("a").valid_at(datetime(1, 1, 1, tzinfo=UTC))


def test_groups_go_by_whole_domains_and_addresses() -> None:
    groups = {"partners": ["dealer.example", "bob@mail.example"]}
    for member in ("Max@Dealer.Example", "bob@mail.example", " BOB@mail.example "):
        assert groups_of(member, groups) == {"public", "partners"}
    for stranger in ("a@notdealer.example", "a@dealer.example.evil", "bobo@mail.example", "dealer.example@x.y", ""):
        assert groups_of(stranger, groups) == {"public"}


def text_block(text: str) -> Block:
    return Block(kind=Kind.TEXT, text=text)


def test_a_long_paragraph_is_divided_after_sentences_and_a_long_list_keeps_its_lead() -> None:
    sentence = "This is a sentence of about sixty characters, with 3.50 EUR in it. "
    divided = statements_of([text_block(sentence * 20)], title="")
    assert all(len(each.text) <= MAX_STATEMENT and each.text.endswith("in it.") for each in divided)
    items = [Block(kind=Kind.ITEM, text=f"{number} " + "x" * 100) for number in range(20)]
    divided = statements_of([text_block("Not these:"), *items], title="")
    assert len(divided) > 1
    assert all(each.text.startswith("Not these:\n- ") for each in divided)


_MARKED = st.text(alphabet="ab.,!? \n#*-_`[]()<>|&;:\\~=>0退款。", max_size=400)


@given(st.lists(st.text(alphabet="abcXYZ. !?。退款\n", min_size=1, max_size=900), max_size=4))
def test_dividing_loses_nothing_and_keeps_the_order(texts: list[str]) -> None:
    found = statements_of([text_block(" ".join(text.split())) for text in dict.fromkeys(texts)], title="")
    said = "".join("".join(each.text.split()) for each in found)
    wanted = "".join("".join(text.split()) for text in dict.fromkeys(" ".join(text.split()) for text in texts))
    assert len(said) <= len(wanted)
    assert all(each.text.strip() == each.text != "" for each in found)
    assert set(said) == set(wanted)


@given(_MARKED)
def test_any_markdown_gives_plain_statements(text: str) -> None:
    for statement in statements_of(blocks_of(text), title="t"):
        assert_plain(statement)


@given(st.text(alphabet="<>/ph1ulitrd \n=\"'!-&;ab退", max_size=400))
def test_any_page_gives_plain_statements(text: str) -> None:
    for statement in statements_of(read_page(text).blocks, title="t"):
        assert_plain(statement)


def assert_plain(statement: Statement) -> None:
    """Nothing in it would end a block of a reply, or stand for an escaped character."""
    lines = statement.quote.split("\n")
    assert all(line.strip() for line in lines)
    assert "\ue000" not in statement.quote


def test_hostile_pages_and_texts_are_read_in_time(tmp_path: Path) -> None:
    for name, hostile in {
        "a.html": "<p" + " a='" * 50_000,
        "b.html": "<!--" * 100_000,
        "c.html": "<script>" * 50_000,
        "d.md": "[" * 100_000 + "x",
        "e.md": "*" * 100_000 + "x",
        "f.md": "`" * 100_000 + "x",
        "g.md": "![](" * 50_000 + "x",
        "h.md": "<!--" * 50_000 + "x",
        "i.md": "> " * 50_000 + "x",
        "j.md": "| a " * 50_000,
        "k.md": "a. " * 100_000,
        "l.md": "# " + "a #" * 50_000,
        "m.md": "- " * 100_000 + "x",
    }.items():
        try:
            _ = read(tmp_path, hostile, name)
        except InvalidDocument:
            continue
