"""Jobs that survive the process, on DBOS. It owns control flow only and stores ids, never payloads.

One process works on one engine database at a time (the service holds a lock file); an unfinished job continues when
the next process starts. Steps are remembered in the engine's database; the bodies guard their own effects.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetEnqueueOptions, SetWorkflowID
from pydantic import JsonValue
from sqlalchemy import Engine as Database

from agents.runtime.port import Body, Job, Runtime

APPLICATION = "settle"
VERSION = "settle-1"
"""Jobs of another version are not taken up; raise it only when the order of a job's steps changes."""
QUEUE = "tickets"
_TRY = "~~"
"""Between a job's id and the number of its try, from the second on."""
_FAILED = ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_UNFINISHED = ["PENDING", "ENQUEUED", "DELAYED"]


class DurableRuntime:
    """The runtime inside a DBOS workflow."""

    async def once(self, key: str, call: Body) -> JsonValue:
        """The result of ``call``, from the engine's database if the step was finished before."""

        async def body() -> JsonValue:
            return await call()

        result: JsonValue = await DBOS.run_step_async({"name": key}, body)
        return result


class DurableEngine:
    """One DBOS instance; at most one per process."""

    def __init__(
        self, url: str, *, connections: Database | None = None, workers: int = 2, poll_seconds: float = 0.05
    ) -> None:
        """``url`` names the engine's own database; ``workers`` jobs run at a time, one per partition.

        ``connections`` are to be used where the caller sets them up (SQLite); otherwise the engine makes its own.
        """
        self._url = url
        self._connections = connections
        self._workers = workers
        self._poll = poll_seconds
        self._workflow: Any = None

    async def start(self, job: Job) -> None:
        """Begin working, unfinished jobs of an earlier process first."""
        config: DBOSConfig = {
            "name": APPLICATION,
            "application_version": VERSION,
            "executor_id": "local",
            "log_level": "ERROR",
            "serializer": DBOSPortableJSONSerializer(),
            "system_database_url": self._url,
            "notification_listener_polling_interval_sec": 0.1,
        }
        if self._connections is not None:
            config["system_database_engine"] = self._connections
        DBOS(config=config)

        @DBOS.workflow(name="work_on_ticket", max_recovery_attempts=20)
        async def work_on_ticket(job_id: str) -> None:
            await job(job_id)

        self._workflow = work_on_ticket
        await asyncio.to_thread(DBOS.launch)
        await DBOS.register_queue_async(
            QUEUE, worker_concurrency=self._workers, partition_concurrency=1, polling_interval_sec=self._poll
        )

    async def enqueue(self, job_id: str, *, partition: str) -> None:
        """Add a job; the same id twice is one job. Jobs of one partition run one after the other."""
        with SetWorkflowID(job_id), SetEnqueueOptions(queue_partition_key=partition):
            await DBOS.enqueue_workflow_async(QUEUE, self._workflow, job_id)

    async def try_again(self, *, at_most: int) -> None:
        """Continue every job that ended with an error from its last finished step; ``at_most`` tries for each."""
        failed = await DBOS.list_workflows_async(
            status=_FAILED, was_forked_from=False, load_input=False, load_output=False
        )
        for one in failed:
            name, _, tries = one.workflow_id.partition(_TRY)
            if int(tries or 1) >= at_most:
                continue
            steps = await DBOS.list_workflow_steps_async(one.workflow_id, load_output=False)
            last = max((step["function_id"] for step in steps), default=0)
            with SetWorkflowID(f"{name}{_TRY}{int(tries or 1) + 1}"):
                await DBOS.fork_workflow_async(
                    one.workflow_id,
                    last,
                    application_version=VERSION,
                    queue_name=QUEUE,
                    queue_partition_key=one.queue_partition_key,
                )

    async def idle(self) -> None:
        """Return when no job is waiting or under way."""
        while True:
            unfinished = await DBOS.list_workflows_async(
                status=_UNFINISHED, limit=1, load_input=False, load_output=False
            )
            if not unfinished:
                return
            await asyncio.sleep(self._poll)

    async def stop(self) -> None:
        """Stop; what is under way continues at the next start."""
        await asyncio.to_thread(DBOS.destroy)
        # DBOS gave the event loop an executor of its own, which is shut down now: the loop needs a working one again.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())

    def runtime(self) -> Runtime:
        """The runtime for use inside a job."""
        return DurableRuntime()
