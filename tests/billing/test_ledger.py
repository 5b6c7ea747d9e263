"""The books: balanced, chained, posted once; every tampering is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.money import Money
from billing import ledger
from billing.errors import EntryRefused
from billing.ledger import JournalEntry, Posting, post, transfer, verify_chain
from tests.billing.books import START, Books


def cents(minor: int) -> tuple[Posting, ...]:
    return transfer(Money(minor=minor, currency="USD"), debit="assets:contract", credit="revenue:x")


def chain(books: Books, length: int = 4) -> list[JournalEntry]:
    with books.write() as session:
        for n in range(length):
            post(session, tenant="acme", source=f"settle:{n}", at=START, postings=cents(n))
        return list(ledger.entries(session, tenant="acme"))


def test_entries_are_numbered_and_chained_per_tenant(books: Books) -> None:
    found = chain(books)
    with books.write() as session:
        other = post(session, tenant="other", source="settle:0", at=START, postings=cents(1))
    assert [entry.seq for entry in found] == [1, 2, 3, 4]
    assert other.seq == 1
    assert [entry.prev_hash for entry in found] == [ledger.GENESIS, *(entry.hash for entry in found[:-1])]
    assert verify_chain(found) == ()
    assert verify_chain([]) == ()


def test_a_source_is_posted_once(books: Books) -> None:
    with books.write() as session:
        first = post(session, tenant="acme", source="settle:1", at=START, postings=cents(99))
        assert post(session, tenant="acme", source="settle:1", at=START, postings=cents(99)) == first
        with pytest.raises(EntryRefused, match="other postings"):
            post(session, tenant="acme", source="settle:1", at=START, postings=cents(98))
        assert len(ledger.entries(session, tenant="acme")) == 1


@given(st.lists(st.tuples(st.sampled_from(["USD", "EUR"]), st.integers(-1000, 1000)), min_size=1, max_size=6))
def test_what_does_not_sum_to_zero_per_currency_is_refused(amounts: list[tuple[str, int]]) -> None:
    postings = [Posting(account="a", minor=minor, currency=currency) for currency, minor in amounts]
    sums = {currency: sum(minor for c, minor in amounts if c == currency) for currency, _ in amounts}
    entry = JournalEntry(
        tenant="acme",
        seq=1,
        source="x",
        at=START,
        prev_hash=ledger.GENESIS,
        postings=tuple(postings),
        hash="",
    )
    entry = entry.model_copy(update={"hash": entry.computed_hash()})
    assert bool(verify_chain([entry])) == any(sums.values())


def test_unbalanced_or_empty_entries_are_not_posted(books: Books) -> None:
    for postings in ((), cents(5)[:1]):
        with pytest.raises(EntryRefused, match="sum to zero"), books.write() as session:
            post(session, tenant="acme", source="x", at=START, postings=postings)


def test_an_altered_entry_is_named(books: Books) -> None:
    found = chain(books)
    found[1] = found[1].model_copy(update={"postings": cents(1000)})
    assert verify_chain(found) == ("entry 2 (settle:1) was altered: its hash does not fit its contents",)


def test_an_entry_altered_with_a_new_hash_breaks_its_successor(books: Books) -> None:
    found = chain(books)
    forged = found[1].model_copy(update={"postings": cents(1000)})
    found[1] = forged.model_copy(update={"hash": forged.computed_hash()})
    assert verify_chain(found) == ("entry 3 (settle:2) does not follow from the entry before it",)


def test_a_missing_entry_is_named(books: Books) -> None:
    found = chain(books)
    assert verify_chain([found[0], *found[2:]]) == ("entry 2 is missing before entry 3 (settle:2)",)
    assert verify_chain(found[2:])[0] == "entries 1 to 2 are missing before entry 3 (settle:2)"


def test_reordered_and_repeated_entries_are_named(books: Books) -> None:
    found = chain(books)
    swapped = verify_chain([found[0], found[2], found[1], found[3]])
    assert "entry 2 (settle:1) is out of order" in swapped
    assert "entry 2 (settle:1) appears twice" in verify_chain([*found[:2], found[1], *found[2:]])


def test_a_foreign_entry_is_named(books: Books) -> None:
    found = chain(books)
    foreign = found[3].model_copy(update={"tenant": "other"})
    found[3] = foreign.model_copy(update={"hash": foreign.computed_hash()})
    assert verify_chain(found) == ("entry 4 (settle:3) belongs to another tenant",)
