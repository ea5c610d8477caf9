"""The same seed is the same run, in every process; what is not is found."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
from pathlib import Path

from tests.unit.simulation.loop.worlds import busy, digest_of_busy, play

from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.repeating import difference_when_repeated, first_difference
from atoll.simulation.loop.trace import Trace

ROOT = Path(__file__).parents[4]


def test_processes_and_hash_seeds_agree() -> None:
    command = "from tests.unit.simulation.loop.worlds import digest_of_busy; print(digest_of_busy(7))"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", command],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("0", "1", "random")
    ]
    digests = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert digests == [digest_of_busy(7)] * 3


def test_seeds_differ() -> None:
    assert len({digest_of_busy(seed) for seed in range(5)}) == 5


def test_recording_changes_nothing() -> None:
    assert play(busy, record=True).trace.hexdigest() == play(busy).trace.hexdigest()


def test_steps_of_tasks_are_part_of_the_trace() -> None:
    async def of_one(loop: SimulationLoop) -> None:
        await asyncio.gather(loop.spawn(loop.host("a"), asyncio.sleep(1), "one"))

    async def of_another(loop: SimulationLoop) -> None:
        await asyncio.gather(loop.spawn(loop.host("a"), asyncio.sleep(1), "another"))

    async def renamed(loop: SimulationLoop) -> None:
        task = loop.spawn(loop.host("a"), asyncio.sleep(1), "one")
        task.set_name("another")
        await asyncio.gather(task)

    digests = {play(story).trace.hexdigest() for story in (of_one, of_another, renamed)}
    assert len(digests) == 3


class Thing:
    """An object whose hash is another one in each run, as addresses are."""

    made = itertools.count()

    def __init__(self, name: str) -> None:
        self.name = name
        self._hash = next(self.made) ** 3 % 1009

    def __hash__(self) -> int:
        return self._hash


async def iterating_a_set_of_objects(loop: SimulationLoop) -> None:
    things = {Thing(f"thing {number}") for number in range(30)}
    await asyncio.sleep(1)
    for thing in things:
        loop.spawn(loop.host("tokyo/n1"), asyncio.sleep(1), thing.name)
    await asyncio.sleep(3)


async def telling_what_a_set_holds(loop: SimulationLoop) -> None:
    for thing in {Thing(f"thing {number}") for number in range(30)}:
        loop.trace.note("call", "tokyo/n1", thing.name)


def trace_of(record: bool, story: object = iterating_a_set_of_objects) -> Trace:
    return play(story, record=record).trace  # type: ignore[arg-type]


def test_iteration_over_a_set_of_objects_is_found() -> None:
    found = difference_when_repeated(lambda: trace_of(record=False))
    assert found == "the runs part within steps 0 to 4096; record them to see the first event that differs"


def test_first_event_that_differs_is_shown() -> None:
    found = difference_when_repeated(lambda: trace_of(record=True, story=telling_what_a_set_holds))
    assert found is not None
    assert "event 0 is TraceEvent(" in found


def test_repeated_run_without_a_flaw_has_no_difference() -> None:
    assert difference_when_repeated(lambda: play(busy, record=True).trace) is None


def test_run_that_is_cut_short_differs_where_it_ends() -> None:
    async def short(loop: SimulationLoop) -> None:
        for number in range(9_000):
            await asyncio.sleep(1)
            if not number % 3_000:
                loop.trace.note("call", "harness", str(number))

    async def longer(loop: SimulationLoop) -> None:
        await short(loop)
        loop.trace.note("call", "harness", "more")

    one, other = play(short, record=True).trace, play(longer, record=True).trace
    found = first_difference(one, other)
    assert found is not None
    assert "event 3 is missing or TraceEvent(at=9000.0" in found
