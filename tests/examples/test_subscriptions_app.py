"""Lanling's subscriptions: its money rules, its API in a process of its own, its pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

SAAS = Path(__file__).parents[2] / "examples" / "saas"
sys.path.append(str(SAAS))  # as `python -m subscriptions_app` finds it there

from subscriptions_app.plans import (  # noqa: E402
    OFFER_MONTHS,
    eligible,
    kept_minor,
    period_around,
    proration_minor,
)
from subscriptions_app.store import Seeded, Store  # noqa: E402

TODAY = date(2026, 3, 2)
CREDENTIALS = {
    "SUBSCRIPTIONS_PASSWORD": "correct horse",
    "SUBSCRIPTIONS_WRITE_TOKEN": "token-write",
    "SUBSCRIPTIONS_READ_TOKEN": "token-read",
    "SUBSCRIPTIONS_AUDIT_TOKEN": "token-audit",
}


@contextmanager
def application(database: Path) -> Iterator[str]:
    """The application as a process; yields its URL, and stops it by ending its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-m", "subscriptions_app", "--database", database, "--today", str(TODAY),
         "--exit-on-stdin-eof"],
        cwd=SAAS, env={**os.environ, **CREDENTIALS}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with application(tmp_path_factory.mktemp("subscriptions") / "s.db") as found:
        yield found


@pytest.fixture(scope="module")
def api(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{url}/api/v1", headers={"Authorization": "Bearer token-write"}) as client:
        yield client


PRICES = st.integers(0, 10**8)


@given(old=PRICES, new=PRICES, days=st.integers(28, 366), data=st.data())
def test_a_change_comes_to_the_difference_for_the_days_left_never_against_the_customer(
    old: int, new: int, days: int, data: st.DataObject
) -> None:
    left = data.draw(st.integers(0, days))
    due = proration_minor(old_minor=old, new_minor=new, days_left=left, days=days)
    exact = Fraction(new - old) * left / days
    assert due <= exact < due + 1
    back = proration_minor(old_minor=new, new_minor=old, days_left=left, days=days)
    assert due + back in (0, -1), "there and back costs nothing, and brings a fen at most"


@given(price=st.integers(1, 10**8))
def test_the_offer_takes_at_least_a_fifth_off_each_month(price: int) -> None:
    kept = kept_minor(price)
    assert kept % OFFER_MONTHS == 0
    assert price * 4 - 5 < kept // OFFER_MONTHS * 5 <= price * 4


@given(started=st.dates(date(2020, 1, 1), TODAY), period=st.sampled_from(["month", "year"]))
def test_today_is_in_the_paid_period(started: date, period: str) -> None:
    start, end = period_around(TODAY, started, period)
    assert start <= TODAY < end
    assert (end - start).days in ((28, 29, 30, 31) if period == "month" else (365, 366))


@pytest.mark.parametrize(
    ("days_old", "period", "offered_days_ago", "status", "may"),
    [
        (90, "month", None, "active", True),
        (89, "month", None, "active", False),
        (900, "year", None, "active", False),
        (900, "month", 364, "active", False),
        (900, "month", 365, "active", True),
        (900, "month", None, "cancelled", False),
    ],
)
def test_who_may_be_made_the_offer(
    days_old: int, period: str, offered_days_ago: int | None, status: str, may: bool
) -> None:
    offered_on = TODAY - timedelta(days=offered_days_ago) if offered_days_ago is not None else None
    started_on = TODAY - timedelta(days=days_old)
    assert eligible(status=status, period=period, started_on=started_on, offered_on=offered_on, today=TODAY) is may


def test_the_same_reference_again_changes_nothing(api: httpx2.Client) -> None:
    before = api.get("/subscriptions/20417").json()
    assert (before["eligible"], before["offer"]["state"]) == (True, "none")
    calls: list[tuple[str, str, dict[str, object], str]] = [
        ("POST", "/offer", {}, "r-1"),
        ("POST", "/offer/acceptance", {}, "r-2"),
        ("PUT", "/plan", {"plan": "business", "due_minor": _quote(api, "olivia.hart@example.com", "business")}, "r-3"),
        ("POST", "/cancellation", {"reason": "asked"}, "r-4"),
    ]
    for n, (method, path, body, reference) in enumerate(calls, start=1):
        once = api.request(method, f"/subscriptions/20417{path}", json={**body, "reference": reference})
        assert once.status_code == 200, once.text
        assert once.json()["version"] == before["version"] + n
        again = api.request(method, f"/subscriptions/20417{path}", json={**body, "reference": reference})
        assert (again.status_code, again.json()) == (200, once.json())
    end = api.get("/subscriptions/20417").json()
    assert (end["offer"]["reference"], end["offer"]["accept_reference"]) == ("r-1", "r-2")
    assert (end["change"]["reference"], end["cancel_reference"]) == ("r-3", "r-4")
    assert end["offer"]["kept_minor"] == 12 * 6_800 * 80 // 100 * 3


def _quote(api: httpx2.Client, email: str, plan: str) -> int:
    items = api.get("/changes", params={"email": email}).json()["items"]
    return int(next(each["due_minor"] for each in items if each["plan"] == plan))


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/subscriptions/20471/offer", {}, 409),  # pays by the year
        ("POST", "/subscriptions/20433/offer/acceptance", {}, 409),  # none was made
        ("PUT", "/subscriptions/20433/plan", {"plan": "business", "due_minor": 1}, 409),  # not what it comes to
        ("PUT", "/subscriptions/20433/plan", {"plan": "team", "due_minor": 0}, 409),  # it is there
        ("PUT", "/subscriptions/20433/plan", {"plan": "starter", "due_minor": 0}, 409),  # too many seats
        ("PUT", "/subscriptions/20433/plan", {"plan": "gold", "due_minor": 0}, 404),
        ("PUT", "/subscriptions/20433/plan", {"plan": "business", "due_minor": "1"}, 422),
        ("POST", "/subscriptions/20583/cancellation", {"reason": "again"}, 409),  # it is cancelled
        ("POST", "/subscriptions/99999/offer", {}, 404),
        ("POST", "/subscriptions/20433/offer", {"percent": 90}, 422),
        ("GET", "/subscriptions", None, 422),  # whose?
    ],
)
def test_what_is_refused_changes_nothing(
    api: httpx2.Client, method: str, path: str, body: dict[str, object] | None, status: int
) -> None:
    before = api.get("/subscriptions/20433").json()
    answer = api.request(method, path, json={**body, "reference": "refused"} if body is not None else None)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert api.get("/subscriptions/20433").json() == before


@pytest.mark.parametrize(
    ("token", "reads", "writes"),
    [("token-read", 200, 403), ("token-audit", 200, 403), ("token-writ", 401, 401), ("x", 401, 401)],
)
def test_tokens_have_scopes(url: str, token: str, reads: int, writes: int) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=f"{url}/api/v1", headers=headers) as client:
        assert client.get("/subscriptions/20433").status_code == reads
        body = {"reason": "x", "reference": "x"}
        assert client.post("/subscriptions/20433/cancellation", json=body).status_code == writes


def test_the_pages_are_for_staff_and_show_what_happened(url: str) -> None:
    staff = ("staff", "correct horse")
    assert httpx2.get(f"{url}/subscriptions").status_code == 401
    assert httpx2.get(f"{url}/subscriptions", auth=("staff", "wrong")).status_code == 401
    table = httpx2.get(f"{url}/subscriptions", auth=staff)
    assert "林佳怡" in table.text
    assert "default-src 'self'" in table.headers["content-security-policy"]
    with httpx2.Client(base_url=f"{url}/api/v1", headers={"Authorization": "Bearer token-write"}) as client:
        client.post("/subscriptions/20458/offer", json={"reference": "<b>shown</b>"}).raise_for_status()
    page = httpx2.get(f"{url}/subscriptions/20458", auth=staff).text
    assert "20 % off for 3 months" in page
    assert "2,265.60 CNY kept" in page
    assert "&lt;b&gt;shown" in page
    assert httpx2.get(f"{url}/subscriptions/1", auth=staff).status_code == 404


def test_a_store_that_is_opened_again_has_what_it_had(tmp_path: Path) -> None:
    one = Seeded(
        id="20001", email="a@example.com", name="A", plan="team", seats=2, period="month",
        started_on=TODAY - timedelta(days=200),
    )  # fmt: skip
    Store(tmp_path / "s.db", today=TODAY).add(one, {})
    again = Store(tmp_path / "s.db", today=TODAY)
    assert not again.empty()
    assert again.of_customer("A@EXAMPLE.com")[0]["price_minor"] == 13_600
    assert again.subscription("20001")["latest_invoice"]["number"] == ""
