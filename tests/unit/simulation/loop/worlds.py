"""Small simulated worlds for the tests of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.leaks import guarded

Story = Callable[[SimulationLoop], Coroutine[Any, Any, Any]]


def play(story: Story, *, seed: int = 1, scheduling: str = "uniform", **options: Any) -> SimulationLoop:
    """Run a story to its end in a guarded world of its own, and return the closed loop."""
    loop = SimulationLoop(seed=seed, scheduling=scheduling, **options)
    with guarded(loop):
        loop.run_until_complete(story(loop))
    return loop


async def busy(loop: SimulationLoop) -> None:
    """Everything of asyncio that keeps sets of tasks or waits in lines, on hosts that crash and pause."""
    one, two = loop.host("frankfurt/n1"), loop.host("tokyo/n1")
    two.clock.set_drift_ppm(200)
    lines: asyncio.Queue[int] = asyncio.Queue(2)
    tasks = [loop.spawn(host, _chatter(loop, lines, i), f"chatter {i}") for host in (one, two) for i in range(5)]
    tasks += [loop.spawn(host, _listener(loop, lines), "listener") for host in (one, two)]
    loop.call_on(loop.host("harness"), 0.05, loop.pause, one)
    loop.call_on(loop.host("harness"), 0.15, loop.resume, one)
    done, waiting = await asyncio.wait(tasks, timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
    loop.crash(two)
    async with asyncio.TaskGroup() as group:
        for i in range(20):
            group.create_task(_nap(loop, i))
    for next_done in asyncio.as_completed([_nap(loop, i) for i in range(10)]):
        await next_done
    loop.trace.note("call", "harness", f"{len(done)} of {len(waiting)} are done")


async def _chatter(loop: SimulationLoop, lines: asyncio.Queue[int], number: int) -> None:
    for i in range(50):
        await lines.put(i * number)
        await asyncio.sleep(loop.current_host().entropy.uniform(0.0, 0.01))


async def _listener(loop: SimulationLoop, lines: asyncio.Queue[int]) -> None:
    while True:
        async with asyncio.timeout(5):
            loop.trace.note("apply", loop.current_host().name, str(await lines.get()))


async def _nap(loop: SimulationLoop, number: int) -> None:
    await asyncio.sleep(0.001 * (number % 3))
    loop.trace.note("return", "harness", str(number))


def digest_of_busy(seed: int) -> str:
    """The trace hash of the busy world; called by processes of their own, too."""
    return play(busy, seed=seed).trace.hexdigest()
