"""Everything in memory and in order: for embedding, tests, and tickets that need not outlive the process."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from pydantic import JsonValue

from agents.runtime.port import Body, Job, Runtime


class InlineRuntime:
    """Remembers steps for as long as it lives."""

    def __init__(self) -> None:
        self._results: dict[str, JsonValue] = {}

    async def once(self, key: str, call: Body) -> JsonValue:
        """The result of ``call``, from memory if the step was finished before."""
        if key not in self._results:
            self._results[key] = await call()
        return self._results[key]


@dataclass(slots=True)
class _Waiting:
    """A job with what it remembers of its earlier tries."""

    id: str
    tries: int = 0
    runtime: InlineRuntime = field(default_factory=InlineRuntime)


class InlineEngine:
    """Works on jobs one after the other, in `idle`."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._failed: list[_Waiting] = []
        self._seen: set[str] = set()
        self._job: Job | None = None
        self._runtime = InlineRuntime()

    async def start(self, job: Job) -> None:
        """Begin working."""
        self._job = job

    async def enqueue(self, job_id: str, *, partition: str) -> None:
        """Add a job; the same id twice is one job."""
        if job_id not in self._seen:
            self._seen.add(job_id)
            self._waiting.append(_Waiting(job_id))

    async def try_again(self, *, at_most: int) -> None:
        """Continue every job that ended with an error from its last finished step; ``at_most`` tries for each."""
        failed, self._failed = self._failed, []
        self._waiting += [one for one in failed if one.tries < at_most]

    async def idle(self) -> None:
        """Work until no job is waiting."""
        while self._waiting:
            assert self._job is not None, "start() comes first"
            one = self._waiting.popleft()
            one.tries += 1
            self._runtime = one.runtime
            try:
                await self._job(one.id)
            except Exception:  # as the durable engine: the job says what went wrong, the others go on
                self._failed.append(one)

    async def stop(self) -> None:
        """Nothing to stop."""

    def runtime(self) -> Runtime:
        """The runtime of the job under way."""
        return self._runtime
