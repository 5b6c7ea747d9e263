"""The records of Lanling's subscriptions, in one SQLite file: customers, subscriptions, offers, invoices, history.

Money is a whole number of fen. Every change carries a reference; the same reference again changes nothing and answers
with the subscription as it stands. Every method opens its own connection, so that any thread may call it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from subscriptions_app.plans import (
    CURRENCY,
    OFFER_MONTHS,
    OFFER_PERCENT,
    PLANS,
    Plan,
    eligible,
    kept_minor,
    period_around,
    proration_minor,
)

SCHEMA = """
CREATE TABLE customers (email TEXT PRIMARY KEY COLLATE NOCASE, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY, customer_email TEXT NOT NULL COLLATE NOCASE REFERENCES customers (email),
    status TEXT NOT NULL CHECK (status IN ('active', 'cancelled')),
    plan TEXT NOT NULL, seats INTEGER NOT NULL CHECK (seats > 0),
    period TEXT NOT NULL CHECK (period IN ('month', 'year')), started_on TEXT NOT NULL,
    cancelled_on TEXT NOT NULL DEFAULT '', cancel_reason TEXT NOT NULL DEFAULT '',
    cancel_reference TEXT NOT NULL DEFAULT '', version INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE INDEX subscriptions_by_customer ON subscriptions (customer_email, id);
CREATE TABLE offers (
    row INTEGER PRIMARY KEY, subscription_id TEXT NOT NULL REFERENCES subscriptions (id),
    state TEXT NOT NULL CHECK (state IN ('open', 'accepted')),
    percent INTEGER NOT NULL, months INTEGER NOT NULL, kept_minor INTEGER NOT NULL,
    made_on TEXT NOT NULL, reference TEXT NOT NULL UNIQUE,
    accepted_on TEXT NOT NULL DEFAULT '', accept_reference TEXT NOT NULL DEFAULT ''
);
CREATE TABLE changes (
    row INTEGER PRIMARY KEY, subscription_id TEXT NOT NULL REFERENCES subscriptions (id),
    from_plan TEXT NOT NULL, to_plan TEXT NOT NULL, changed_on TEXT NOT NULL,
    days_left INTEGER NOT NULL, days INTEGER NOT NULL, due_minor INTEGER NOT NULL, reference TEXT NOT NULL UNIQUE
);
CREATE TABLE invoices (
    number TEXT PRIMARY KEY, subscription_id TEXT NOT NULL REFERENCES subscriptions (id),
    issued_on TEXT NOT NULL, total_minor INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE history (
    row INTEGER PRIMARY KEY, subscription_id TEXT NOT NULL REFERENCES subscriptions (id),
    at TEXT NOT NULL, what TEXT NOT NULL, reference TEXT NOT NULL
);
"""

NO_OFFER: dict[str, Any] = {
    "state": "none", "percent": 0, "months": 0, "kept_minor": 0, "currency": CURRENCY,
    "made_on": "", "reference": "", "accepted_on": "", "accept_reference": "",
}  # fmt: skip
NO_CHANGE: dict[str, Any] = {
    "from_plan": "", "to_plan": "", "changed_on": "", "days_left": 0, "days": 0, "due_minor": 0,
    "currency": CURRENCY, "reference": "",
}  # fmt: skip

NO_INVOICE: dict[str, Any] = {"number": "", "issued_on": "", "total_minor": 0}


class SubscriptionError(Exception):
    """What a caller did wrong; the message is meant to be read by that caller.

    NotFound (404) · Conflict (409: the subscription's state forbids it)
    """

    status_code = 400


class NotFound(SubscriptionError):
    """There is no such subscription or plan."""

    status_code = 404


class Conflict(SubscriptionError):
    """The subscription's state forbids it."""

    status_code = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """A subscription to begin with: what `Store.add` takes."""

    id: str
    email: str
    name: str
    plan: str
    seats: int
    period: str
    started_on: date
    cancelled_on: date | None = None
    offered_on: date | None = None
    """An offer that was made, and accepted, long or not so long ago."""


class Store:
    """All records. Answers are JSON-ready dictionaries: what the API sends is what is kept."""

    def __init__(self, path: Path, *, today: date | None = None) -> None:
        """Open or make the file at ``path``; ``today`` is the real one (UTC) unless given."""
        self._path = path
        self._today = today
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'customers'").fetchone():
                connection.executescript(SCHEMA)

    def today(self) -> date:
        """The day it is."""
        return self._today or datetime.now(UTC).date()

    def empty(self) -> bool:
        """Whether there is no customer yet."""
        with self._connection() as connection:
            return connection.execute("SELECT 1 FROM customers LIMIT 1").fetchone() is None

    def add(self, one: Seeded, invoices: dict[str, tuple[date, int]]) -> None:
        """Put in a customer with a subscription and its invoices (number to date and total in fen)."""
        cancelled = one.cancelled_on.isoformat() if one.cancelled_on else ""
        with self._connection() as connection:
            connection.execute("INSERT OR IGNORE INTO customers VALUES (?, ?)", (one.email, one.name))
            connection.execute(
                "INSERT INTO subscriptions (id, customer_email, status, plan, seats, period, started_on, cancelled_on,"
                " cancel_reason, cancel_reference) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (one.id, one.email, "cancelled" if cancelled else "active", one.plan, one.seats, one.period,
                 one.started_on.isoformat(), cancelled, "own wish" if cancelled else "", "web" if cancelled else ""),
            )  # fmt: skip
            for number, (issued_on, total) in invoices.items():
                connection.execute("INSERT INTO invoices VALUES (?, ?, ?, ?)", (number, one.id, str(issued_on), total))
            if one.offered_on is not None:
                made, kept = one.offered_on.isoformat(), kept_minor(PLANS[one.plan].price_minor(one.seats, one.period))
                connection.execute(
                    "INSERT INTO offers (subscription_id, state, percent, months, kept_minor, made_on, reference,"
                    " accepted_on, accept_reference) VALUES (?, 'accepted', ?, ?, ?, ?, ?, ?, ?)",
                    (one.id, OFFER_PERCENT, OFFER_MONTHS, kept, made, f"web-{one.id}", made, f"web-{one.id}-yes"),
                )
            _note(connection, one.id, f"subscribed to {one.plan} for {one.seats}", "web")

    def subscription(self, subscription_id: str) -> dict[str, Any]:
        """One subscription, as the API sends it. Raises NotFound."""
        with self._connection() as connection:
            return self._described(connection, subscription_id)

    def of_customer(self, email: str) -> list[dict[str, Any]]:
        """The customer's subscriptions, by number."""
        with self._connection() as connection:
            rows = connection.execute("SELECT id FROM subscriptions WHERE customer_email = ? ORDER BY id", (email,))
            return [self._described(connection, row["id"]) for row in rows.fetchall()]

    def all(self) -> list[dict[str, Any]]:
        """Every subscription, by number."""
        with self._connection() as connection:
            rows = connection.execute("SELECT id FROM subscriptions ORDER BY id").fetchall()
            return [self._described(connection, row["id"]) for row in rows]

    def history(self, subscription_id: str) -> list[dict[str, Any]]:
        """What happened to a subscription, newest first, each with its reference."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT at, what, reference FROM history WHERE subscription_id = ? ORDER BY row DESC",
                (subscription_id,),
            )
            return [dict(row) for row in rows]

    def changes_for(self, email: str) -> list[dict[str, Any]]:
        """Every plan that the customer could change an active subscription to, each with what it comes to today."""
        return [
            self._quote(one, plan)
            for one in self.of_customer(email)
            if one["status"] == "active"
            for plan in PLANS.values()
        ]

    def change_plan(self, subscription_id: str, *, plan: str, due_minor: int, reference: str) -> dict[str, Any]:
        """Change the plan for exactly ``due_minor``, as it was quoted. Raises NotFound, Conflict."""
        wanted = PLANS.get(plan)
        if wanted is None:
            raise NotFound(f"There is no plan {plan[:40]!r}.")
        with self._connection() as connection:
            one = self._described(connection, subscription_id)
            if connection.execute("SELECT 1 FROM changes WHERE reference = ?", (reference,)).fetchone():
                return one
            quote = self._quote(_active(one), wanted)
            if quote["current"] or not quote["seats_fit"]:
                raise Conflict(f"Subscription {one['id']} cannot go to {plan}: it is there, or has too many seats.")
            if quote["due_minor"] != due_minor:
                raise Conflict(f"The change comes to {quote['due_minor']} fen today, not {due_minor}; ask anew.")
            connection.execute(
                "UPDATE subscriptions SET plan = ?, version = version + 1 WHERE id = ?", (plan, one["id"])
            )
            connection.execute(
                "INSERT INTO changes (subscription_id, from_plan, to_plan, changed_on, days_left, days, due_minor,"
                " reference) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    one["id"],
                    one["plan"],
                    plan,
                    str(self.today()),
                    quote["days_left"],
                    quote["days"],
                    due_minor,
                    reference,
                ),
            )
            _note(connection, one["id"], f"{one['plan']} to {plan}, {due_minor} fen", reference)
            return self._described(connection, subscription_id)

    def make_offer(self, subscription_id: str, *, reference: str) -> dict[str, Any]:
        """Make the retention offer. Raises NotFound, Conflict (not eligible)."""
        with self._connection() as connection:
            one = self._described(connection, subscription_id)
            if connection.execute("SELECT 1 FROM offers WHERE reference = ?", (reference,)).fetchone():
                return one
            if not one["eligible"]:
                raise Conflict(f"Subscription {one['id']} is not eligible for an offer.")
            connection.execute(
                "INSERT INTO offers (subscription_id, state, percent, months, kept_minor, made_on, reference)"
                " VALUES (?, 'open', ?, ?, ?, ?, ?)",
                (one["id"], OFFER_PERCENT, OFFER_MONTHS, kept_minor(one["price_minor"]), str(self.today()), reference),
            )
            _touch(connection, one["id"])
            _note(connection, one["id"], f"offered {OFFER_PERCENT} % for {OFFER_MONTHS} months", reference)
            return self._described(connection, subscription_id)

    def accept_offer(self, subscription_id: str, *, reference: str) -> dict[str, Any]:
        """Take the open offer. Raises NotFound, Conflict (none is open)."""
        with self._connection() as connection:
            one = self._described(connection, subscription_id)
            if one["offer"]["accept_reference"] == reference:
                return one
            if _active(one)["offer"]["state"] != "open":
                raise Conflict(f"Subscription {one['id']} has no open offer.")
            connection.execute(
                "UPDATE offers SET state = 'accepted', accepted_on = ?, accept_reference = ? WHERE reference = ?",
                (str(self.today()), reference, one["offer"]["reference"]),
            )
            _touch(connection, one["id"])
            _note(connection, one["id"], "took the offer", reference)
            return self._described(connection, subscription_id)

    def cancel(self, subscription_id: str, *, reason: str, reference: str) -> dict[str, Any]:
        """Cancel; it stays usable to the end of the paid period. Raises NotFound, Conflict."""
        with self._connection() as connection:
            one = self._described(connection, subscription_id)
            if one["cancel_reference"] == reference:
                return one
            _active(one)
            connection.execute(
                "UPDATE subscriptions SET status = 'cancelled', cancelled_on = ?, cancel_reason = ?,"
                " cancel_reference = ?, version = version + 1 WHERE id = ?",
                (str(self.today()), reason, reference, one["id"]),
            )
            _note(connection, one["id"], f"cancelled: {reason}", reference)
            return self._described(connection, subscription_id)

    def _quote(self, one: dict[str, Any], plan: Plan) -> dict[str, Any]:
        new = plan.price_minor(one["seats"], one["period"])
        due = proration_minor(old_minor=one["price_minor"], new_minor=new, days_left=one["days_left"], days=one["days"])
        return {
            "subscription_id": one["id"], "plan": plan.id, "name_en": plan.name_en, "name_zh": plan.name_zh,
            "current": plan.id == one["plan"], "seats_fit": one["seats"] <= plan.most_seats, "price_minor": new,
            "due_minor": due, "currency": CURRENCY, "days_left": one["days_left"], "days": one["days"],
        }  # fmt: skip

    def _described(self, connection: sqlite3.Connection, subscription_id: str) -> dict[str, Any]:
        row = connection.execute(
            "SELECT s.*, c.name AS customer_name FROM subscriptions s JOIN customers c ON c.email = s.customer_email"
            " WHERE s.id = ?", (subscription_id,),
        ).fetchone()  # fmt: skip
        if row is None:
            raise NotFound(f"There is no subscription {subscription_id[:40]}.")
        one, plan, today = dict(row), PLANS[row["plan"]], self.today()
        started, cancelled = date.fromisoformat(row["started_on"]), row["cancelled_on"]
        start, end = period_around(date.fromisoformat(cancelled) if cancelled else today, started, row["period"])
        offer = _newest(connection, "offers", subscription_id)
        offered_on = date.fromisoformat(offer["made_on"]) if offer else None
        change = _newest(connection, "changes", subscription_id)
        invoice = connection.execute(
            "SELECT number, issued_on, total_minor FROM invoices WHERE subscription_id = ?"
            " ORDER BY issued_on DESC LIMIT 1", (subscription_id,),
        ).fetchone()  # fmt: skip
        return {
            **one,
            "plan_name_en": plan.name_en,
            "plan_name_zh": plan.name_zh,
            "price_minor": plan.price_minor(row["seats"], row["period"]),
            "currency": CURRENCY,
            "most_seats_in_starter": PLANS["starter"].most_seats,
            "period_start": start.isoformat(),
            "period_end": end.isoformat(),
            "days": (end - start).days,
            "days_left": max((end - today).days, 0),
            "eligible": eligible(
                status=row["status"], period=row["period"], started_on=started, offered_on=offered_on, today=today
            ),
            "offer": {**offer, "currency": CURRENCY} if offer else NO_OFFER,
            "change": {**change, "currency": CURRENCY} if change else NO_CHANGE,
            "latest_invoice": {**(dict(invoice) if invoice else NO_INVOICE), "currency": CURRENCY},
        }

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=15, isolation_level=None)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
        finally:
            connection.close()


def _newest(connection: sqlite3.Connection, table: str, subscription_id: str) -> dict[str, Any]:
    """The newest row of offers or changes, without its keys; empty if there is none."""
    query = f"SELECT * FROM {table} WHERE subscription_id = ? ORDER BY row DESC LIMIT 1"  # noqa: S608 - two names of ours
    row = connection.execute(query, (subscription_id,)).fetchone()
    return {name: row[name] for name in row.keys() if name not in ("row", "subscription_id")} if row else {}  # noqa: SIM118


def _active(one: dict[str, Any]) -> dict[str, Any]:
    if one["status"] != "active":
        raise Conflict(f"Subscription {one['id']} is {one['status']}.")
    return one


def _touch(connection: sqlite3.Connection, subscription_id: str) -> None:
    connection.execute("UPDATE subscriptions SET version = version + 1 WHERE id = ?", (subscription_id,))


def _note(connection: sqlite3.Connection, subscription_id: str, what: str, reference: str) -> None:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute(
        "INSERT INTO history (subscription_id, at, what, reference) VALUES (?, ?, ?, ?)",
        (subscription_id, at, what, reference),
    )
