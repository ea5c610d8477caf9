"""A run that cannot end is ended, with a message that says whose fault it is."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from tests.unit.simulation.loop.worlds import play

from atoll.simulation.limits import PENDING_TASKS_SHOWN_MAX
from atoll.simulation.loop.bounds import Bounds
from atoll.simulation.loop.errors import SimulationDeadlock, SimulationLivelock, SimulationOverrun
from atoll.simulation.loop.event_loop import SimulationLoop


async def wait_for_ever(event: asyncio.Event) -> None:
    await event.wait()


def test_deadlock_names_who_waits_where() -> None:
    async def story(loop: SimulationLoop) -> None:
        event = asyncio.Event()
        loop.spawn(loop.host("tokyo/n1"), wait_for_ever(event), "puller of frankfurt")
        await asyncio.sleep(2.5)
        await event.wait()

    with pytest.raises(SimulationDeadlock) as caught:
        play(story)
    lines = str(caught.value).splitlines()
    assert lines[0] == "nothing is left to run after 2.500 s; waiting:"
    assert lines[1].startswith("  harness: test_deadlock_names_who_waits_where.<locals>.story waits in ")
    assert lines[2].startswith("  tokyo/n1: puller of frankfurt waits in wait_for_ever at loop/test_bounds.py:")
    assert len(lines) == 3


def test_deadlock_names_paused_hosts_and_leaves_out_the_dead() -> None:
    async def story(loop: SimulationLoop) -> None:
        dead, paused = loop.host("tokyo/n1"), loop.host("tokyo/n2")
        loop.spawn(dead, wait_for_ever(asyncio.Event()), "of the dead")
        loop.spawn(paused, asyncio.sleep(1), "of the paused")
        await asyncio.sleep(0.5)
        loop.crash(dead)
        loop.pause(paused)
        await asyncio.Event().wait()

    with pytest.raises(SimulationDeadlock, match=r"paused: tokyo/n2; waiting:") as caught:
        play(story)
    assert "of the paused" in str(caught.value)
    assert "of the dead" not in str(caught.value)


def test_deadlock_of_many_names_some() -> None:
    async def story(loop: SimulationLoop) -> None:
        await asyncio.gather(*[asyncio.Event().wait() for _ in range(100)])

    with pytest.raises(SimulationDeadlock, match="and 61 more") as caught:
        play(story)
    assert len(str(caught.value).splitlines()) == PENDING_TASKS_SHOWN_MAX + 2


def test_livelock_names_who_spins() -> None:
    async def spin() -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)

    async def story(loop: SimulationLoop) -> None:
        await asyncio.sleep(1)
        await loop.spawn(loop.host("tokyo/n1"), spin(), "spinner")

    with pytest.raises(SimulationLivelock, match=r"time stands still at 1\.000000 s") as caught:
        play(story, bounds=Bounds(steps_per_instant=20_000))
    assert "tokyo/n1: spinner: 4096 of the last steps" in str(caught.value)


def test_burst_within_the_bound_is_no_livelock() -> None:
    async def story(loop: SimulationLoop) -> None:
        for _ in range(3):
            for _ in range(15_000):
                await asyncio.sleep(0)
            await asyncio.sleep(1)

    play(story, bounds=Bounds(steps_per_instant=20_000))


def test_run_beyond_its_simulated_time_is_ended() -> None:
    async def story(loop: SimulationLoop) -> None:
        for _ in itertools.count():
            await asyncio.sleep(1)

    with pytest.raises(SimulationOverrun, match=r"not over after 3600\.0 simulated seconds"):
        play(story, bounds=Bounds(simulated_seconds=3600.0))


def test_run_beyond_a_persons_patience_is_ended() -> None:
    async def story(loop: SimulationLoop) -> None:
        for _ in itertools.count():
            await asyncio.sleep(1)

    with pytest.raises(SimulationOverrun, match=r"not over after 0\.0 real seconds"):
        play(story, bounds=Bounds(real_seconds=0.0))


def test_loop_cannot_be_used_twice() -> None:
    loop = play(asyncio_sleep)
    assert loop.is_closed()
    late = asyncio_sleep(loop)
    with pytest.raises(AssertionError, match="over"):
        loop.run_until_complete(late)
    late.close()


async def asyncio_sleep(loop: SimulationLoop) -> None:
    await asyncio.sleep(1)


async def test_simulation_inside_a_running_loop_is_refused() -> None:
    loop = SimulationLoop(seed=1)
    with pytest.raises(AssertionError, match="inside a running event loop"):
        loop.run_forever()
    assert asyncio.get_running_loop() is not loop
    loop.close()
