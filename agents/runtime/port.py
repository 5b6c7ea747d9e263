"""What a run needs from whatever drives it: that a step, once done, is not done again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from pydantic import JsonValue

Body = Callable[[], Coroutine[Any, Any, JsonValue]]
"""The body of a step."""
Job = Callable[[str], Coroutine[Any, Any, None]]
"""Works on one job, named by its id; repeated from its last finished step after a crash."""


class Runtime(Protocol):
    """For the executor: steps that are remembered."""

    async def once(self, key: str, call: Body) -> JsonValue:
        """The result of ``call``, from memory if the step ``key`` of this job was finished before.

        The body may run again if a crash hits it, so it guards its own effects. Results are small: ids, not payloads.
        """
        ...


class Engine(Protocol):
    """For the service: jobs that survive the process."""

    async def start(self, job: Job) -> None:
        """Begin working, unfinished jobs of an earlier process first."""
        ...

    async def enqueue(self, job_id: str, *, partition: str) -> None:
        """Add a job; the same id twice is one job. Jobs of one partition run one after the other."""
        ...

    async def try_again(self, *, at_most: int) -> None:
        """Continue every job that ended with an error from its last finished step; ``at_most`` tries for each."""
        ...

    async def idle(self) -> None:
        """Return when no job is waiting or under way."""
        ...

    async def stop(self) -> None:
        """Stop; what is under way continues at the next start."""
        ...

    def runtime(self) -> Runtime:
        """The runtime for use inside a job."""
        ...
