"""The retail example's back office, as one meets it from outside: its process, its pages, its API."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.examples.running import CREDENTIALS, RETAIL, TODAY, BackOffice, running

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


@pytest.fixture(scope="module")
def back_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackOffice]:
    """One back office for all tests that each change an order of their own."""
    with running(tmp_path_factory.mktemp("back_office") / "shop.sqlite", "--today", TODAY) as one:
        yield one


def _hidden(page: str) -> str:
    """The CSRF token of the page's first form."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def _log_in(client: httpx2.Client, password: str = CREDENTIALS["BACK_OFFICE_PASSWORD"]) -> httpx2.Response:
    form = {"user": "m.reyes", "password": password, "csrf": _hidden(client.get("/login").text), "next": ""}
    return client.post("/login", data=form)


@pytest.fixture
def staff(back_office: BackOffice) -> Iterator[httpx2.Client]:
    """A client that is logged in and follows no redirects."""
    with httpx2.Client(base_url=back_office.url, timeout=20) as client:
        assert _log_in(client).headers["location"] == "/orders"
        yield client


def _order(back_office: BackOffice, order_id: str) -> dict[str, Any]:
    with back_office.api("audit") as api:
        answer = api.get(f"/orders/{order_id}")
    assert answer.status_code == 200
    order: dict[str, Any] = answer.json()
    return order


def _free(back_office: BackOffice, status: str) -> str:
    """An order nobody has touched: seeded, of `status`, never refunded. Reads the pages, not the database."""
    with httpx2.Client(base_url=back_office.url, timeout=20) as client:
        _log_in(client)
        found = re.findall(r'data-testid="order-(\d+)"', client.get(f"/orders?status={status}&page=2").text)
    for order_id in found:
        order = _order(back_office, order_id)
        if order["version"] == 1 and not order["refunds"]:
            return str(order_id)
    raise AssertionError(f"no untouched order is {status}")


# --- the process


@pytest.mark.parametrize("name", sorted(CREDENTIALS))
def test_a_missing_credential_is_named(name: str, tmp_path: Path) -> None:
    environment = {**os.environ, **CREDENTIALS}
    del environment[name]
    command = [sys.executable, str(RETAIL / "back_office"), "--database", str(tmp_path / "shop.sqlite")]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2
    assert name in ended.stderr
    assert ended.stdout == ""
    assert not (tmp_path / "shop.sqlite").exists()


def test_it_stops_when_its_parent_is_gone(tmp_path: Path) -> None:
    with running(tmp_path / "shop.sqlite") as one:
        assert httpx2.get(one.url + "/healthz").json() == {"status": "ok"}
        assert one.process.stdin is not None
        one.process.stdin.close()
        assert one.process.wait(15) == 0


def test_a_restart_keeps_the_data_and_the_date(tmp_path: Path) -> None:
    database = tmp_path / "shop.sqlite"
    body = {"amount_minor": 100, "reason": "damaged", "reference": "first"}
    with running(database, "--today", TODAY) as one, one.api("write") as api:
        assert api.post("/orders/11874/refunds", json=body).status_code == 201
        before = api.get("/orders/11874").json()
        one.process.kill()
        one.process.wait()
    with running(database, "--today", "2030-01-01") as one:
        assert _order(one, "11874") == before
        assert before["refund_reference"] == "first"
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT value FROM meta").fetchall() == [(TODAY,)]
    connection.close()


def test_the_seed_is_complete_consistent_and_always_the_same(tmp_path: Path) -> None:
    def content(name: str) -> dict[str, list[Any]]:
        with running(tmp_path / name, "--today", TODAY):
            pass
        connection = sqlite3.connect(tmp_path / name)
        tables = ("customers", "orders", "refunds")
        rows = {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables}
        strange = connection.execute(
            "SELECT id FROM orders o WHERE placed_at >= coalesce(shipped_at, cancelled_at, ?1)"
            " OR shipped_at >= coalesce(delivered_at, ?1) OR delivered_at >= ?1 OR cancelled_at >= ?1"
            " OR total_minor < (SELECT coalesce(sum(amount_minor), 0) FROM refunds WHERE order_id = o.id)"
            " OR (SELECT min(created_at) FROM refunds WHERE order_id = o.id) < delivered_at",
            (TODAY,),
        ).fetchall()
        assert strange == []
        in_part = connection.execute("SELECT count(*) FROM refunds GROUP BY order_id").fetchall()
        assert {1, 2} == {count for (count,) in in_part}
        connection.close()
        return rows

    first = content("one.sqlite")
    assert (len(first["customers"]), len(first["orders"])) == (500, 2000)
    assert [first["orders"][0][0], first["orders"][-1][0]] == ["10001", "12000"]
    assert content("two.sqlite") == first


# --- the API


def test_tokens_and_scopes(back_office: BackOffice) -> None:
    body = {"amount_minor": 1, "reason": "damaged", "reference": "x"}
    writes = [
        ("POST", "/orders/11857/refunds", body),
        ("POST", "/orders/11857/cancellation", {"reason": "x", "reference": "x"}),
        ("PUT", "/orders/11857/address", {"address": "x", "reference": "x"}),
    ]
    for scope in ("read", "audit"):
        with back_office.api(scope) as api:
            assert api.get("/orders/11857").status_code == 200
            for method, path, json_body in writes:
                assert api.request(method, path, json=json_body).status_code == 403
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "token-write"},
        {"Cookie": "a=b"},
    ):
        with httpx2.Client(base_url=back_office.url + "/api/v1", headers=headers) as nobody:
            answer = nobody.get("/orders/11857")
            assert answer.status_code == 401
            assert "token" in answer.json()["detail"]
            assert nobody.post("/orders/11857/refunds", json=body).status_code == 401
    assert _order(back_office, "11857")["version"] == 1


def test_orders_of_a_customer(back_office: BackOffice) -> None:
    with back_office.api() as api:
        items = api.get("/orders", params={"email": "Emma.Collins@example.com"}).json()["items"]
        assert [order["id"] for order in items] == ["11874", "10482"]
        assert api.get("/orders", params={"email": "nobody@example.com"}).json() == {"items": []}
        assert api.get("/orders").status_code == 422
        customers = api.get("/customers", params={"email": "emma.collins@example.com"}).json()["items"]
        assert [one["name"] for one in customers] == ["Emma Collins"]
        assert api.get("/orders/99999").status_code == 404
        assert api.get("/nowhere").headers["content-type"] == "application/json"
    order = items[0]
    assert order["items"] == [
        {"sku": "MUG-OB", "title": "Stoneware mug, ocean blue", "quantity": 2, "unit_minor": 1745}
    ]
    assert (order["total_minor"], order["currency"], order["refunds"]) == (3490, "USD", [])
    assert order["cancelled_at"] is None
    assert order["refund_reference"] == ""
    delivered = datetime.fromisoformat(order["delivered_at"])
    assert delivered.tzinfo is not None
    assert (datetime(2026, 3, 2, tzinfo=UTC) - delivered).days == 6


def test_partial_refunds_add_up_and_references_may_repeat(back_office: BackOffice) -> None:
    order_id = _free(back_office, "delivered")
    total = _order(back_office, order_id)["total_minor"]
    with back_office.api("write") as api:

        def refund(amount_minor: int) -> httpx2.Response:
            body = {"amount_minor": amount_minor, "reason": "damaged", "reference": "same"}
            return api.post(f"/orders/{order_id}/refunds", json=body)

        assert refund(700).json()["refunded_minor"] == 700
        again = refund(700).json()
        assert (again["refunded_minor"], again["version"], len(again["refunds"])) == (1400, 3, 2)
        too_much = refund(total - 1400 + 1)
        assert too_much.status_code == 409
        assert "can still be refunded" in too_much.json()["detail"]
        rest = refund(total - 1400).json()
        assert rest["refunded_minor"] == total
        assert refund(1).status_code == 409
    order = _order(back_office, order_id)
    assert order == rest
    assert {(one["reference"], one["actor"]) for one in order["refunds"]} == {("same", "api")}


@pytest.mark.parametrize(
    "body",
    [
        {"amount_minor": 0, "reason": "r", "reference": "x"},
        {"amount_minor": -5, "reason": "r", "reference": "x"},
        {"amount_minor": 1.5, "reason": "r", "reference": "x"},
        {"amount_minor": "100", "reason": "r", "reference": "x"},
        {"amount_minor": True, "reason": "r", "reference": "x"},
        {"amount_minor": 100, "reason": "r", "reference": "  "},
        {"amount_minor": 100, "reason": "r", "reference": "two\nlines"},
        {"amount_minor": 100, "reason": "r"},
        {"amount_minor": 100, "reason": "r", "reference": "x", "extra": 1},
        [],
    ],
)
def test_a_bad_body_is_refused_with_a_message(back_office: BackOffice, body: object) -> None:
    with back_office.api("write") as api:
        answer = api.post("/orders/11840/refunds", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert _order(back_office, "11840")["refunds"] == []


def test_only_an_order_in_processing_can_be_cancelled_or_sent_elsewhere(back_office: BackOffice) -> None:
    order_id = _free(back_office, "processing")
    with back_office.api("write") as api:
        moved = api.put(f"/orders/{order_id}/address", json={"address": " A\n\n B ", "reference": "m"}).json()
        assert (moved["address"], moved["address_reference"], moved["version"]) == ("A\nB", "m", 2)
        body = {"reason": "r", "reference": "c"}
        cancelled = api.post(f"/orders/{order_id}/cancellation", json=body).json()
        assert (cancelled["status"], cancelled["cancel_reference"]) == ("cancelled", "c")
        assert datetime.fromisoformat(cancelled["cancelled_at"]).tzinfo is not None
        for closed in (order_id, "11857"):
            again = api.post(f"/orders/{closed}/cancellation", json={"reason": "r", "reference": "d"})
            there = api.put(f"/orders/{closed}/address", json={"address": "C", "reference": "d"})
            assert (again.status_code, there.status_code) == (409, 409)
    assert _order(back_office, order_id) == cancelled


# --- the pages


def test_pages_need_a_login(back_office: BackOffice) -> None:
    with httpx2.Client(base_url=back_office.url) as client:
        answer = client.get("/orders/11874?a=b")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login?next=%2Forders%2F11874%3Fa%3Db"
        assert client.post("/orders/11874/refund", data={"amount": "1"}).status_code == 401
        wrong = _log_in(client, "wrong")
        assert wrong.status_code == 401
        assert "wrong" in wrong.text
        forged = {"user": "m.reyes", "password": CREDENTIALS["BACK_OFFICE_PASSWORD"], "csrf": "forged"}
        assert client.post("/login", data=forged).status_code == 403
        cookie = _log_in(client).headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        csrf = _hidden(client.get("/orders").text)
        assert client.post("/logout", data={"csrf": csrf}).status_code == 303
        assert client.get("/orders").headers["location"].startswith("/login")


def test_a_login_never_leads_elsewhere(back_office: BackOffice) -> None:
    with httpx2.Client(base_url=back_office.url) as client:
        page = client.get("/login", params={"next": "//evil.example"}).text
        assert "evil" not in page
        assert 'name="next" value="/orders"' in page


def test_search(staff: httpx2.Client) -> None:
    def found(**query: str) -> list[str]:
        return re.findall(r'data-testid="order-(\d+)"', staff.get("/orders", params=query).text)

    assert found(q="11874") == found(q="#11874 ") == ["11874"]
    assert found(q="DARREN.whitlock@") == found(q="darren whit") == ["11790", "11519"]
    assert found(q="whitlock", status="cancelled") == ["11519"]
    assert found(q="%") == found(q="_______________________________") == []
    assert "No order matches" in staff.get("/orders?q=nobody-of-that-name").text
    assert found()[0] == "12000"
    assert len(found()) == 20
    assert not set(found()) & set(found(page="2"))
    assert found(page="100") == found(page="9999")
    assert found(page="100")[-1] == "10001"
    assert found(page="x") == found()
    assert 'value="&#34;&gt;&lt;b&gt;"' in staff.get("/orders", params={"q": '"><b>'}).text


def test_unknown_pages(staff: httpx2.Client) -> None:
    for path, text in (
        ("/orders/99999", "There is no order 99999."),
        ("/elsewhere", "There is no such page."),
    ):
        answer = staff.get(path)
        assert answer.status_code == 404
        assert text in answer.text
    csrf = _hidden(staff.get("/orders/11874").text)
    assert staff.post("/orders/99999/refund", data={"csrf": csrf, "amount": "1"}).status_code == 404
    assert staff.post("/orders/11874/explode", data={"csrf": csrf}).status_code == 404


def test_refund_form(back_office: BackOffice, staff: httpx2.Client) -> None:
    order_id = _free(back_office, "delivered")
    csrf = _hidden(staff.get(f"/orders/{order_id}").text)

    def send(**changes: str) -> httpx2.Response:
        form = {"csrf": csrf, "amount": "12.50", "reason": "damaged", "reference": "form <1>", **changes}
        return staff.post(f"/orders/{order_id}/refund", data=form)

    for amount in ("", "0", "-1", "1,50", "1e3", "12.505", "NaN", "\u0661\u0662", "1 000"):
        answer = send(amount=amount)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    assert send(reference="").status_code == 422
    assert send(csrf="").status_code == send(csrf="forged").status_code == 403
    too_much = send(amount="999999.00")
    assert too_much.status_code == 409
    assert "form &lt;1&gt;" in too_much.text  # what was typed is kept, and escaped
    assert _order(back_office, order_id)["version"] == 1

    assert send().headers["location"] == f"/orders/{order_id}"
    page = staff.get(f"/orders/{order_id}").text
    assert "Refund of 12.50 USD recorded, reference form &lt;1&gt;" in page
    assert "recorded" not in staff.get(f"/orders/{order_id}").text  # said once
    refunds = _order(back_office, order_id)["refunds"]
    assert [(one["amount_minor"], one["actor"]) for one in refunds] == [(1250, "m.reyes")]


def test_customers_words_stay_text(back_office: BackOffice, staff: httpx2.Client) -> None:
    tables = "".join(staff.get(f"/orders?page={number}").text for number in range(1, 60))
    lines = re.findall(r'data-testid="order-(\d+)"', tables)
    noted = next(one for one in lines if "<b>" in _order(back_office, one)["customer_note"])
    page = staff.get(f"/orders/{noted}")
    assert "&lt;b&gt;FRAGILE&lt;/b&gt; &amp;" in page.text
    assert "<b>" not in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]


# --- in a real browser


@pytest.fixture(scope="module")
def page(back_office: BackOffice) -> Iterator[Page]:
    """A Chromium page with a staff member logged in."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(base_url=back_office.url, viewport={"width": 1280, "height": 800})
        page.goto("/orders/11745")
        page.get_by_label("User name").fill("m.reyes")
        page.get_by_label("Password").fill(CREDENTIALS["BACK_OFFICE_PASSWORD"])
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Order 11745")).to_be_visible()
        yield page
        browser.close()


def test_refund_in_the_browser(back_office: BackOffice, page: Page) -> None:
    page.goto("/orders")
    page.get_by_label("Search orders").fill("11745")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="11745").click()
    page.get_by_label("Refund amount").fill("42.90")
    page.get_by_label("Refund reason").select_option("damaged")
    page.get_by_label("Refund reference").fill("key-1")

    dialog = page.get_by_role("dialog")
    page.get_by_role("button", name="Refund order").click()
    expect(dialog.get_by_role("heading")).to_have_text("Refund 42.90 USD on order 11745?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert _order(back_office, "11745")["refunds"] == []

    page.get_by_role("button", name="Refund order").click()
    dialog.get_by_role("button", name="Confirm").click()
    expect(page.get_by_test_id("flash")).to_have_text("Refund of 42.90 USD recorded, reference key-1")
    expect(page.get_by_test_id("refund-row")).to_have_count(1)
    expect(page.get_by_test_id("refund-row")).to_contain_text("42.90 USD")
    expect(page.get_by_text("This order is refunded in full.")).to_be_visible()
    order = _order(back_office, "11745")
    assert order["refunded_minor"] == order["total_minor"]
    assert order["refund_reference"] == "key-1"


def test_address_and_cancellation_in_the_browser(back_office: BackOffice, page: Page) -> None:
    page.goto("/orders/11988")
    page.get_by_label("New shipping address").fill("Zhao Yuting\n369 Jiangdong Zhong Lu\nNanjing")
    page.get_by_label("Address reference").fill("key-2")
    page.get_by_role("button", name="Change address").click()
    expect(page.get_by_role("dialog")).to_contain_text("369 Jiangdong Zhong Lu")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_test_id("flash")).to_have_text("Shipping address changed, reference key-2")
    expect(page.get_by_test_id("address")).to_contain_text("369 Jiangdong Zhong Lu")

    page.get_by_label("Cancellation reason").select_option("customer_request")
    page.get_by_label("Cancellation reference").fill("key-3")
    page.get_by_role("button", name="Cancel order").click()
    expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text("Cancel order 11988?")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_test_id("status")).to_have_text("Cancelled")
    expect(page.get_by_label("Cancellation reference")).to_have_count(0)
    order = _order(back_office, "11988")
    assert (order["address"], order["address_reference"]) == (
        "Zhao Yuting\n369 Jiangdong Zhong Lu\nNanjing",
        "key-2",
    )
    assert (order["status"], order["cancel_reference"], order["version"]) == ("cancelled", "key-3", 3)


def test_a_page_left_open_too_long(back_office: BackOffice, page: Page) -> None:
    """The order ships (here: is cancelled) while the form is open: a clear message, nothing half-recorded."""
    page.goto("/orders/11979")
    page.get_by_label("New shipping address").fill("Elsewhere")
    page.get_by_label("Address reference").fill("key-4")
    with back_office.api("write") as api:
        api.post("/orders/11979/cancellation", json={"reason": "r", "reference": "other"})
    page.get_by_role("button", name="Change address").click()
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_test_id("error")).to_contain_text("Order 11979 is cancelled")
    assert _order(back_office, "11979")["address_reference"] == ""
