"""The runtime and the engine in memory."""

from __future__ import annotations

import pytest

from agents.runtime import InlineEngine, InlineRuntime


async def test_a_finished_step_is_not_run_again_and_a_failed_one_is() -> None:
    runtime = InlineRuntime()
    tries: list[int] = []

    async def body() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError
        return len(tries)

    with pytest.raises(ValueError):
        await runtime.once("a", body)
    assert [await runtime.once("a", body), await runtime.once("a", body)] == [2, 2]
    assert await runtime.once("b", body) == 3


async def test_a_step_without_a_result_is_remembered_too() -> None:
    runtime = InlineRuntime()
    tries: list[int] = []

    async def body() -> None:
        tries.append(1)

    await runtime.once("a", body)
    assert await runtime.once("a", body) is None
    assert tries == [1]


async def test_jobs_run_in_order_once_each_with_a_memory_of_their_own() -> None:
    engine = InlineEngine()
    done: list[str] = []

    async def job(job_id: str) -> None:
        async def body() -> str:
            return job_id

        done.append(str(await engine.runtime().once("step", body)))
        if job_id == "a":
            await engine.enqueue("c", partition="T")

    await engine.start(job)
    for job_id in ("a", "b", "a"):
        await engine.enqueue(job_id, partition="T")
    await engine.idle()
    await engine.enqueue("b", partition="T")
    await engine.idle()
    await engine.stop()
    assert done == ["a", "b", "c"]


async def test_a_failed_job_stops_no_other_and_continues_from_its_last_step() -> None:
    engine = InlineEngine()
    done: list[str] = []
    broken = True

    async def job(job_id: str) -> None:
        async def first() -> None:
            done.append(f"{job_id} first")

        async def second() -> None:
            if broken and job_id == "a":
                raise ValueError
            done.append(f"{job_id} second")

        await engine.runtime().once("first", first)
        await engine.runtime().once("second", second)

    await engine.start(job)
    for job_id in ("a", "b"):
        await engine.enqueue(job_id, partition="T")
    await engine.idle()
    assert done == ["a first", "b first", "b second"]
    await engine.try_again(at_most=3)
    await engine.idle()
    broken = False
    await engine.try_again(at_most=3)
    await engine.idle()
    await engine.try_again(at_most=3)
    await engine.idle()
    assert done == ["a first", "b first", "b second", "a second"]


async def test_a_job_that_always_fails_is_tried_so_often_and_no_more() -> None:
    engine = InlineEngine()
    tries: list[str] = []

    async def job(job_id: str) -> None:
        tries.append(job_id)
        raise ValueError

    await engine.start(job)
    await engine.enqueue("a", partition="T")
    for _ in range(6):
        await engine.idle()
        await engine.try_again(at_most=3)
    assert len(tries) == 3
