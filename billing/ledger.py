"""The books: double-entry, append-only, one hash chain per tenant.

Every entry sums to zero per currency, has the next number, names its predecessor's hash and is posted once
per source. Debits are positive, credits negative.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from agents.canonical import fingerprint
from agents.money import Money
from billing import counters
from billing.errors import EntryRefused
from billing.periods import utc
from billing.tables import EntryRow, PostingRow

GENESIS = "0" * 64
"""The previous hash of a tenant's first entry."""
CONTRACT_ASSET = "assets:contract"
"""Earned by settlement, not invoiced yet."""


def revenue(outcome_type: str) -> str:
    """The account that a type of outcome earns on."""
    return f"revenue:{outcome_type}"


def receivable(customer: str) -> str:
    """The account of what a customer was invoiced, less credits."""
    return f"assets:receivable:{customer}"


class Posting(BaseModel):
    """One side of an entry."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    account: str
    minor: int
    """Whole minor units: a debit is positive, a credit negative."""
    currency: str


class JournalEntry(BaseModel):
    """One entry of a tenant's books. ``hash`` covers every other field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str
    seq: int
    """Counted from 1, without gaps."""
    source: str
    """Why it was posted, once: ``settle:<outcome>``, ``reverse:<outcome>``, ``invoice:<number>``."""
    at: AwareDatetime
    prev_hash: str
    postings: tuple[Posting, ...]
    hash: str

    def computed_hash(self) -> str:
        """What ``hash`` must be for these contents."""
        return fingerprint(self.model_copy(update={"hash": ""}))


def transfer(amount: Money, *, debit: str, credit: str) -> tuple[Posting, ...]:
    """The two postings that move ``amount``."""
    return (
        Posting(account=debit, minor=amount.minor, currency=amount.currency),
        Posting(account=credit, minor=-amount.minor, currency=amount.currency),
    )


def post(session: Session, *, tenant: str, source: str, at: datetime, postings: Sequence[Posting]) -> JournalEntry:
    """Append one entry, once per (tenant, source); the same source again returns the entry that stands.

    Raises:
        EntryRefused: the postings do not sum to zero, or other postings stand under this source.
    """
    if not postings or _unbalanced(postings):
        raise EntryRefused(f"{source}: postings must sum to zero per currency; found {_unbalanced(postings) or 'none'}")
    counters.lock(session, tenant)
    standing = find(session, tenant=tenant, source=source)
    if standing is None:
        try:
            with session.begin_nested():
                return _append(session, tenant, source, utc(at), tuple(postings))
        except IntegrityError:
            standing = find(session, tenant=tenant, source=source)
            if standing is None:
                raise
    if standing.postings != tuple(postings):
        raise EntryRefused(f"{source}: other postings stand under this source, in entry {standing.seq}")
    return standing


def find(session: Session, *, tenant: str, source: str) -> JournalEntry | None:
    """The entry posted for ``source``, if there is one."""
    row = session.exec(select(EntryRow).where(EntryRow.tenant == tenant, EntryRow.source == source)).first()
    return _entries(session, [row])[0] if row is not None else None


def entries(session: Session, *, tenant: str) -> tuple[JournalEntry, ...]:
    """The tenant's whole chain, in order."""
    rows = session.exec(select(EntryRow).where(EntryRow.tenant == tenant).order_by(col(EntryRow.seq))).all()
    return _entries(session, rows)


def balances(entries: Iterable[JournalEntry]) -> dict[tuple[str, str], int]:
    """Minor units per (account, currency)."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for entry in entries:
        for posting in entry.postings:
            sums[posting.account, posting.currency] += posting.minor
    return dict(sums)


def verify_chain(entries: Sequence[JournalEntry]) -> tuple[str, ...]:
    """What is wrong with a tenant's chain, entry by entry; empty if it is whole.

    Names rows that were altered, removed, put in another order or do not sum to zero. Rows cut off at the end
    leave a whole, shorter chain: compare its length with a count kept elsewhere.
    """
    problems = []
    expected, previous = 1, GENESIS
    seen: set[int] = set()
    sources: dict[str, int] = {}
    for entry in entries:
        name = f"entry {entry.seq} ({entry.source})"
        if entry.seq in seen:
            problems.append(f"{name} appears twice")
        elif entry.seq < expected:
            problems.append(f"{name} is out of order")
        elif entry.seq > expected:
            gap = f"entry {expected} is" if entry.seq == expected + 1 else f"entries {expected} to {entry.seq - 1} are"
            problems.append(f"{gap} missing before {name}")
        elif entry.prev_hash != previous:
            problems.append(f"{name} does not follow from the entry before it")
        if entry.hash != entry.computed_hash():
            problems.append(f"{name} was altered: its hash does not fit its contents")
        if not entry.postings or _unbalanced(entry.postings):
            problems.append(f"{name} does not sum to zero: {_unbalanced(entry.postings) or 'it has no postings'}")
        if entry.source in sources and entry.seq not in seen:
            problems.append(f"{name} repeats the source of entry {sources[entry.source]}")
        if entries and entry.tenant != entries[0].tenant:
            problems.append(f"{name} belongs to another tenant")
        seen.add(entry.seq)
        sources.setdefault(entry.source, entry.seq)
        expected, previous = max(expected, entry.seq + 1), entry.hash
    return tuple(problems)


def _append(session: Session, tenant: str, source: str, at: datetime, postings: tuple[Posting, ...]) -> JournalEntry:
    seq = counters.next_number(session, tenant, counters.LEDGER)
    last = session.get(EntryRow, (tenant, seq - 1))
    entry = JournalEntry(
        tenant=tenant,
        seq=seq,
        source=source,
        at=at,
        prev_hash=last.hash if last is not None else GENESIS,
        postings=postings,
        hash="",
    )
    entry = entry.model_copy(update={"hash": entry.computed_hash()})
    for n, posting in enumerate(postings, start=1):
        session.add(PostingRow(tenant=tenant, seq=seq, n=n, **posting.model_dump()))
    session.flush()
    session.add(EntryRow(tenant=tenant, seq=seq, source=source, at=at, prev_hash=entry.prev_hash, hash=entry.hash))
    session.flush()
    return entry


def _entries(session: Session, rows: Sequence[EntryRow]) -> tuple[JournalEntry, ...]:
    if not rows:
        return ()
    query = (
        select(PostingRow).where(PostingRow.tenant == rows[0].tenant).order_by(col(PostingRow.seq), col(PostingRow.n))
    )
    if len(rows) == 1:
        query = query.where(PostingRow.seq == rows[0].seq)
    postings: dict[int, list[Posting]] = defaultdict(list)
    for found in session.exec(query):
        postings[found.seq].append(Posting(account=found.account, minor=found.minor, currency=found.currency))
    return tuple(
        JournalEntry(
            tenant=row.tenant,
            seq=row.seq,
            source=row.source,
            at=row.at,
            prev_hash=row.prev_hash,
            postings=tuple(postings[row.seq]),
            hash=row.hash,
        )
        for row in rows
    )


def _unbalanced(postings: Iterable[Posting]) -> str:
    sums: dict[str, int] = defaultdict(int)
    for posting in postings:
        sums[posting.currency] += posting.minor
    return ", ".join(f"{minor} {currency}" for currency, minor in sorted(sums.items()) if minor != 0)
