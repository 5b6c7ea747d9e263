"""The back office's records: customers, orders, refunds, in one SQLite file.

Money is a whole number of minor units (cents). Times are aware UTC ISO texts. Every method opens its own
connection, so that any thread may call it. References are noted, never checked for uniqueness: two equal
refunds are two rows, as long as their sum stays within the order's total.
"""

import json
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

Status = Literal["processing", "shipped", "delivered", "cancelled"]
STATUSES: tuple[Status, ...] = ("processing", "shipped", "delivered", "cancelled")

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE customers (
    email TEXT PRIMARY KEY COLLATE NOCASE, name TEXT NOT NULL, country TEXT NOT NULL, created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE orders (
    id TEXT PRIMARY KEY, customer_email TEXT NOT NULL COLLATE NOCASE REFERENCES customers (email),
    status TEXT NOT NULL CHECK (status IN ('processing', 'shipped', 'delivered', 'cancelled')),
    currency TEXT NOT NULL, items TEXT NOT NULL, total_minor INTEGER NOT NULL CHECK (total_minor > 0),
    address TEXT NOT NULL, address_reference TEXT NOT NULL DEFAULT '',
    placed_at TEXT NOT NULL, shipped_at TEXT, delivered_at TEXT, expected_on TEXT,
    cancelled_at TEXT, cancel_reason TEXT NOT NULL DEFAULT '', cancel_reference TEXT NOT NULL DEFAULT '',
    carrier TEXT NOT NULL DEFAULT '', tracking_number TEXT NOT NULL DEFAULT '',
    customer_note TEXT NOT NULL DEFAULT '', version INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID;
CREATE INDEX orders_by_customer ON orders (customer_email, placed_at);
CREATE INDEX orders_by_time ON orders (placed_at, id);
CREATE TABLE refunds (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, order_id TEXT NOT NULL REFERENCES orders (id),
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    reason TEXT NOT NULL, reference TEXT NOT NULL, created_at TEXT NOT NULL, actor TEXT NOT NULL
);
CREATE INDEX refunds_by_order ON refunds (order_id, row);
"""

REFUNDED = "(SELECT coalesce(sum(amount_minor), 0) FROM refunds WHERE order_id = o.id)"
JOINED = "FROM orders o JOIN customers c ON c.email = o.customer_email"
ORDERS = f"SELECT o.*, c.name AS customer_name, {REFUNDED} AS refunded_minor {JOINED}"
AMOUNT = re.compile(r"([0-9]{1,9})(\.[0-9]{1,2})?")


class BackOfficeError(Exception):
    """What a caller did wrong; the message is meant to be read by that caller.

    NotFound (404) · Invalid (422: the input itself is wrong) · Conflict (409: the order's state forbids it)
    """

    status_code = 400


class NotFound(BackOfficeError):
    """There is no such order."""

    status_code = 404


class Invalid(BackOfficeError):
    """The input itself is wrong."""

    status_code = 422


class Conflict(BackOfficeError):
    """The order's state forbids it."""

    status_code = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of an order."""

    sku: str
    title: str
    quantity: int
    unit_minor: int
    """Price of one, in minor units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """One row of the refund history."""

    id: str
    amount_minor: int
    reason: str
    reference: str
    created_at: str
    actor: str
    """The staff member's user name, or "api"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A customer; the e-mail address is the key."""

    email: str
    name: str
    country: str
    """ISO 3166 alpha-2."""
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One row of the order table."""

    id: str
    placed_at: str
    customer_name: str
    customer_email: str
    status: Status
    currency: str
    total_minor: int
    refunded_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(OrderLine):
    """One order with everything known about it; its fields are the API's JSON."""

    items: tuple[Item, ...]
    refunds: tuple[Refund, ...]
    """Oldest first."""
    refund_reference: str
    """Of the newest refund, or ""."""
    cancel_reason: str
    cancel_reference: str
    cancelled_at: str | None
    address: str
    address_reference: str
    shipped_at: str | None
    delivered_at: str | None
    expected_on: str | None
    """A date, YYYY-MM-DD."""
    carrier: str
    tracking_number: str
    customer_note: str
    """The customer's own words: untrusted text."""
    version: int
    """Increases with each change of the order."""

    @property
    def remaining_minor(self) -> int:
        """What can still be refunded, minor units."""
        return self.total_minor - self.refunded_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the order table: rows, which page it is (from 1), how many pages and matches there are."""

    lines: tuple[OrderLine, ...]
    number: int
    pages: int
    matches: int


@dataclass(frozen=True, slots=True)
class Store:
    """The SQLite file at `path`. `create` makes it; every other method expects it to exist."""

    path: Path

    @contextmanager
    def transaction(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """One connection and one transaction: committed at the end, rolled back by any exception."""
        connection = sqlite3.connect(self.path, timeout=15, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
        finally:
            connection.close()

    def switch_to_wal(self) -> None:
        """Make the file (created if missing) a write-ahead-log database; the setting stays with the file."""
        connection = sqlite3.connect(self.path, timeout=15)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()

    def today(self) -> str:
        """The date (YYYY-MM-DD) the seed was made for."""
        with self.transaction(write=False) as connection:
            return str(connection.execute("SELECT value FROM meta WHERE name = 'today'").fetchone()[0])

    def search(self, text: str = "", status: str = "", page: int = 1, size: int = 20) -> Page:
        """Orders of `status` ("" is any), newest first, with `text` in their number, e-mail or name."""
        pattern = "%" + re.sub("([!%_])", r"!\1", text.strip().removeprefix("#")) + "%"
        where = (
            " WHERE (?1 = '' OR o.status = ?1) AND"
            " (o.id LIKE ?2 ESCAPE '!' OR o.customer_email LIKE ?2 ESCAPE '!' OR c.name LIKE ?2 ESCAPE '!')"
        )
        with self.transaction(write=False) as connection:
            (matches,) = connection.execute(f"SELECT count(*) {JOINED}{where}", (status, pattern)).fetchone()
            pages = max(1, -(-matches // size))
            number = min(max(page, 1), pages)
            rows = connection.execute(
                f"{ORDERS}{where} ORDER BY o.placed_at DESC, o.id DESC LIMIT ?3 OFFSET ?4",
                (status, pattern, size, (number - 1) * size),
            ).fetchall()
        names = OrderLine.__dataclass_fields__
        lines = tuple(OrderLine(**{name: row[name] for name in names}) for row in rows)
        return Page(lines=lines, number=number, pages=pages, matches=matches)

    def order(self, order_id: str) -> Order:
        """Raises NotFound."""
        with self.transaction(write=False) as connection:
            return _order(connection, order_id)

    def orders_of(self, email: str) -> tuple[Order, ...]:
        """All orders of the customer with this e-mail (in any case), newest first; none is empty."""
        found = "SELECT id FROM orders WHERE customer_email = ? ORDER BY placed_at DESC, id DESC"
        with self.transaction(write=False) as connection:
            ids = [str(row["id"]) for row in connection.execute(found, (email.strip(),))]
            return tuple(_order(connection, order_id) for order_id in ids)

    def customers(self, email: str) -> tuple[Customer, ...]:
        """The customer with this e-mail (in any case), or nothing."""
        with self.transaction(write=False) as connection:
            rows = connection.execute("SELECT * FROM customers WHERE email = ?", (email.strip(),)).fetchall()
        return tuple(Customer(**dict(row)) for row in rows)

    def refund(self, order_id: str, *, amount_minor: int, reason: str, reference: str, actor: str) -> Order:
        """Record one refund. Raises NotFound, Invalid (zero, empty texts), Conflict (more than remains)."""
        if amount_minor <= 0:
            raise Invalid("The refund amount must be above zero.")
        reason, reference = _line("reason", reason), _line("reference", reference)
        with self.transaction(write=True) as connection:
            order = _order(connection, order_id)
            if amount_minor > order.remaining_minor:
                asked, remaining = amount_text(amount_minor), amount_text(order.remaining_minor)
                raise Conflict(
                    f"{asked} {order.currency} is more than the {remaining} {order.currency} that can"
                    f" still be refunded on order {order.id}."
                )
            connection.execute(
                "INSERT INTO refunds (id, order_id, amount_minor, reason, reference, created_at, actor)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                ("R-" + secrets.token_hex(5), order.id, amount_minor, reason, reference, _now(), actor),
            )
            connection.execute("UPDATE orders SET version = version + 1 WHERE id = ?", (order.id,))
            return _order(connection, order.id)

    def cancel(self, order_id: str, *, reason: str, reference: str) -> Order:
        """Cancel an order that is still processing. Raises NotFound, Invalid (empty texts), Conflict."""
        reason, reference = _line("reason", reason), _line("reference", reference)
        with self.transaction(write=True) as connection:
            order = _processing(connection, order_id, "cancelled")
            connection.execute(
                "UPDATE orders SET status = 'cancelled', cancelled_at = ?, cancel_reason = ?,"
                " cancel_reference = ?, version = version + 1 WHERE id = ?",
                (_now(), reason, reference, order.id),
            )
            return _order(connection, order.id)

    def change_address(self, order_id: str, *, address: str, reference: str) -> Order:
        """Replace the address of an order that is still processing. Raises NotFound, Invalid, Conflict."""
        reference = _line("reference", reference)
        lines = [line.strip() for line in address.strip().splitlines()]
        address = "\n".join(line for line in lines if line)
        if not 1 <= len(address) <= 500:
            raise Invalid("The shipping address must have 1 to 500 characters.")
        with self.transaction(write=True) as connection:
            order = _processing(connection, order_id, "sent to another address")
            connection.execute(
                "UPDATE orders SET address = ?, address_reference = ?, version = version + 1 WHERE id = ?",
                (address, reference, order.id),
            )
            return _order(connection, order.id)


def amount_text(minor: int) -> str:
    """Minor units as decimal text: 3490 is "34.90"."""
    return f"{Decimal(minor).scaleb(-2):.2f}"


def amount_minor(text: str) -> int:
    """Decimal text as minor units: "34.9" is 3490. Raises Invalid for all but digits, a point, two digits."""
    if not AMOUNT.fullmatch(text.strip()):
        raise Invalid("Write the amount as a number with a decimal point, like 12.50.")
    return int(Decimal(text.strip()).scaleb(2))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _line(name: str, text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= 200 or not text.isprintable():
        raise Invalid(f"The {name} must be one line of 1 to 200 characters.")
    return text


def _order(connection: sqlite3.Connection, order_id: str) -> Order:
    row = connection.execute(f"{ORDERS} WHERE o.id = ?", (order_id,)).fetchone()
    if row is None:
        raise NotFound(f"There is no order {order_id[:40]}.")
    refunds = tuple(
        Refund(**{name: one[name] for name in Refund.__dataclass_fields__})
        for one in connection.execute("SELECT * FROM refunds WHERE order_id = ? ORDER BY row", (order_id,))
    )
    known = dict(row)
    known["items"] = tuple(Item(**item) for item in json.loads(known["items"]))
    return Order(**known, refunds=refunds, refund_reference=refunds[-1].reference if refunds else "")


def _processing(connection: sqlite3.Connection, order_id: str, what: str) -> Order:
    order = _order(connection, order_id)
    if order.status != "processing":
        raise Conflict(f"Order {order.id} is {order.status}; only an order in processing can be {what}.")
    return order
