"""Keeps the desk on a helpdesk elsewhere: webhooks ring, polling finds what they missed, deadlines are swept.

What was looked at is remembered as one moment, the watermark; each look reaches back behind it a little, because
clocks differ and a helpdesk may show a change late. Looking at the same change twice is one job.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import structlog
import uvicorn
from starlette.applications import Starlette

from agents.clock import Clock, SystemClock
from agents.errors import HelpdeskUnavailable
from service.assembly import Running
from service.errors import NoLiveHelpdesk
from service.helpdesks.webhooks import Doorbell
from service.progress import Moment, Progress
from service.settings import LiveHelpdeskSettings

_log = structlog.get_logger()


class Watermark:
    """Up to when the helpdesk was looked at; kept in the state folder."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get(self) -> datetime | None:
        """None before the first look."""
        return datetime.fromisoformat(self._file.read_text().strip()) if self._file.exists() else None

    def set(self, moment: datetime) -> None:
        """Keep it, also over a crash."""
        temporary = self._file.with_suffix(".new")
        temporary.write_text(moment.isoformat() + "\n")
        temporary.replace(self._file)


class Service:
    """Works on what happens in the helpdesk until it is told to stop."""

    def __init__(self, run: Running, *, doorbell: Doorbell, progress: Progress, clock: Clock | None = None) -> None:
        """``clock`` is the helpdesk's idea of time, roughly: the machine's, which no demo moves ahead.

        Raises:
            NoLiveHelpdesk: the deployment's tickets come from files.
        """
        settings = run.deployment.settings.helpdesk
        if not isinstance(settings, LiveHelpdeskSettings):
            raise NoLiveHelpdesk
        self._run = run
        self._doorbell = doorbell
        self._progress = progress
        self._clock = clock or SystemClock()
        self._every = settings.poll_seconds
        self._overlap = timedelta(seconds=settings.overlap_seconds)
        self._watermark = Watermark(run.state.folder / "watermark")
        self._away = False

    def begin(self, since: datetime | None) -> datetime:
        """From when on changes are taken: ``since``, else where the last process stopped, else now."""
        begun = since or self._watermark.get() or self._clock.now()
        self._watermark.set(begun)
        return begun

    async def until(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set."""
        working = asyncio.create_task(self._work())
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self.look()
                wait = asyncio.get_running_loop().time() + self._every
                while not stop.is_set() and (left := wait - asyncio.get_running_loop().time()) > 0:
                    rung = asyncio.create_task(self._doorbell.rung())
                    await asyncio.wait([rung, stopped], timeout=left, return_when=asyncio.FIRST_COMPLETED)
                    rung.cancel()
                    for ticket_id in self._doorbell.take():
                        await self._notice(ticket_id)
        finally:
            for task in (working, stopped):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def look(self) -> None:
        """Notice all that changed since the last look, and do what is due."""
        began = self._clock.now()
        since = self._watermark.get() or began
        try:
            named = await self._run.helpdesk.changed(since - self._overlap)
            all_noticed = all([await self._notice(ticket_id) for ticket_id in named])
            self._answers(all_noticed)
            if all_noticed:
                self._watermark.set(began)
                await self._run.desk.try_again()
        except HelpdeskUnavailable as error:
            self._answers(False, str(error))
        await self._guarded("settling", self._run.settlement.settle_due)
        await self._guarded("looking again", self._run.settlement.look_again)
        await self._guarded("closing periods", self._close)

    async def _notice(self, ticket_id: str) -> bool:
        """False if the helpdesk did not answer; a ticket that cannot be noticed stops no other."""
        try:
            await self._run.desk.notice(ticket_id)
        except HelpdeskUnavailable as error:
            self._answers(False, str(error))
            return False
        except Exception:
            _log.exception("a ticket cannot be looked at", ticket=ticket_id)
        return True

    async def _work(self) -> None:
        """Do the jobs; and in between, when there are none, what an earlier job could not finish."""
        while True:
            await self._guarded("working", self._run.desk.idle)
            await self._guarded("catching up", self._run.desk.catch_up)
            await asyncio.sleep(min(1.0, self._every))

    async def _close(self) -> None:
        self._run.settlement.close_periods()

    async def _guarded(self, what: str, action: Callable[[], Awaitable[None]]) -> None:
        try:
            await action()
        except Exception:  # the next round may fare better
            _log.exception(f"{what} failed")

    def _answers(self, now: bool, reason: str = "") -> None:
        if now is self._away:
            self._away = not now
            self._progress(Moment(name="helpdesk.back" if now else "helpdesk.away", data={"reason": reason}))


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


@asynccontextmanager
async def listening(app: Starlette, host: str, port: int) -> AsyncIterator[int]:
    """Serve ``app``; yields its port, which the machine chooses for 0."""
    with socket.create_server((host, port)) as listener:
        server = _Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await serving
