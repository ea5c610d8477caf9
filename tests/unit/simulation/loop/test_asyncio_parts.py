"""What asyncio builds on a loop works here, in simulated time and in the same order each time."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.simulation.loop.worlds import Story, play

from atoll.simulation.loop.event_loop import SimulationLoop


async def nap(loop: SimulationLoop, number: int, seconds: float = 0.0) -> int:
    await asyncio.sleep(seconds)
    loop.trace.note("return", "harness", str(number))
    return number


def test_timeout_ends_what_takes_too_long() -> None:
    async def story(loop: SimulationLoop) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await asyncio.Event().wait()
        assert loop.now() == 2.5
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(10), 1.5)
        assert loop.now() == 4.0
        async with asyncio.timeout(1.0):
            await asyncio.sleep(0.5)
        await asyncio.sleep(10)

    assert play(story).failures == []


def test_cancelled_task_runs_its_finally() -> None:
    async def story(loop: SimulationLoop) -> None:
        seen: list[str] = []

        async def work() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                seen.append("finally")

        task = loop.spawn(loop.host("tokyo/n1"), work(), "work")
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        assert (task.cancelled(), seen, loop.now()) == (True, ["finally"], 1.0)

    play(story)


def test_locks_queues_and_semaphores_serve_in_line() -> None:
    async def story(loop: SimulationLoop) -> None:
        lock, semaphore, served = asyncio.Lock(), asyncio.Semaphore(2), list[int]()

        async def work(number: int) -> None:
            async with semaphore, lock:
                await asyncio.sleep(0.1)
                served.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(work(number))
        assert sorted(served) == list(range(10))

    assert play(story).now() == pytest.approx(1.0)


async def in_a_task_group(loop: SimulationLoop) -> None:
    with pytest.raises(ExceptionGroup):
        await a_group_that_fails(loop)


async def a_group_that_fails(loop: SimulationLoop) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(guard_of(loop, number))
        group.create_task(fail())


async def guard_of(loop: SimulationLoop, number: int) -> None:
    try:
        await asyncio.sleep(100)
    except asyncio.CancelledError:
        loop.trace.note("return", "harness", str(number))
        raise


async def fail() -> None:
    await asyncio.sleep(1)
    raise ValueError("one fails")


async def by_waiting(loop: SimulationLoop) -> None:
    waiting = {asyncio.ensure_future(nap(loop, number, number % 4)) for number in range(40)}
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            loop.trace.note("call", "harness", str(task.result()))


async def as_completed(loop: SimulationLoop) -> None:
    for one in asyncio.as_completed([nap(loop, number) for number in range(40)]):
        loop.trace.note("call", "harness", str(await one))


async def of_bare_futures(loop: SimulationLoop) -> None:
    futures = {loop.create_future() for _ in range(40)} | {asyncio.gather(nap(loop, n)) for n in range(40)}
    await asyncio.wait(futures, timeout=1)
    for number, future in enumerate(futures):
        loop.trace.note("call", "harness", f"{number} {future.done()}")


@pytest.mark.parametrize("story", [in_a_task_group, by_waiting, as_completed, of_bare_futures])
def test_sets_of_tasks_have_one_order(story: Story) -> None:
    """The default hash is the address: keeping each world alive gives the next one other addresses."""
    worlds = []
    for count in range(4):
        worlds.append(([object() for _ in range(997 * count)], play(story, scheduling="fifo", record=True)))
    assert len({loop.trace.hexdigest() for _, loop in worlds}) == 1


def test_equality_of_tasks_and_futures_is_identity() -> None:
    async def story(loop: SimulationLoop) -> None:
        one, two = loop.create_future(), loop.create_future()
        task = asyncio.create_task(nap(loop, 1))
        assert len({one, two, task, one, task}) == 3
        assert one != two
        assert task in asyncio.all_tasks()
        await task

    play(story)
