"""Browser scripts: a fresh context each, only the hosts that were named, screenshots kept as evidence."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser as _Chromium
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Page, Playwright, Route, async_playwright

from agents.errors import BrowserUnavailable
from agents.evidence import Evidence
from agents.tools.browser.chromium import find_chromium
from agents.tools.browser.gate import gate, is_named
from agents.tools.tool import ToolContext

ACTION_TIMEOUT = 10_000
"""Milliseconds one action may wait for its element."""
QUIET = (
    "--disable-gpu",
    "--no-first-run",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
"""Chromium talks to nobody but the pages it is sent to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One page in one fresh context, for one tool call."""

    page: Page
    context: ToolContext

    async def screenshot(self, label: str) -> Evidence:
        """Keep a picture of the page as evidence; what is typed into password fields is masked."""
        masked = [self.page.locator("input[type=password]")]
        picture = await self.page.screenshot(type="png", mask=masked, animations="disabled")
        return self.context.keep(picture, media_type="image/png", label=label)


class Browser:
    """One Chromium per process, started by the first script and shared by all."""

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._chromium: _Chromium | None = None
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def script(self, context: ToolContext, *, hosts: set[str]) -> AsyncIterator[Script]:
        """A fresh page that reaches only ``hosts`` (``host:port``); everything else is refused.

        Raises:
            BrowserUnavailable: no Chromium could be started.
        """
        chromium = await self._started()
        async with gate(hosts) as proxy:
            window = await chromium.new_context(
                viewport={"width": 1280, "height": 800},
                accept_downloads=False,
                service_workers="block",
                proxy={"server": proxy, "bypass": "<-loopback>"},
            )
            try:
                await window.route("**/*", lambda route: _only(route, hosts))
                page = await window.new_page()
                page.set_default_timeout(ACTION_TIMEOUT)
                yield Script(page=page, context=context)
            finally:
                await window.close()

    async def close(self) -> None:
        """Stop Chromium."""
        if self._chromium is not None:
            await self._chromium.close()
        if self._playwright is not None:
            await self._playwright.stop()
        self._chromium = self._playwright = None

    async def _started(self) -> _Chromium:
        async with self._lock:
            if self._chromium is not None and self._chromium.is_connected():
                return self._chromium
            path = find_chromium()
            if path is None:
                raise BrowserUnavailable("no Chromium was found; `settle doctor` says how to get one")
            if self._playwright is None:
                self._playwright = await async_playwright().start()
            options: dict[str, Any] = {"executable_path": str(path), "args": list(QUIET), "headless": True}
            if hasattr(os, "geteuid") and os.geteuid() == 0:
                options["chromium_sandbox"] = False
            try:
                self._chromium = await self._playwright.chromium.launch(**options)
            except PlaywrightError as error:
                raise BrowserUnavailable(f"{path} does not start: {error.message.splitlines()[0]}") from error
            return self._chromium


async def _only(route: Route, hosts: set[str]) -> None:
    if is_named(route.request.url, hosts):
        await route.continue_()
    else:
        await route.abort("blockedbyclient")
