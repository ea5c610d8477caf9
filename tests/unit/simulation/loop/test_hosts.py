"""Hosts crash without a word, stand still, and begin again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.unit.simulation.loop.worlds import play

from atoll.simulation.loop.event_loop import SimulationLoop


async def beat(loop: SimulationLoop, seen: list[float], seconds: float = 1.0) -> None:
    while True:
        await asyncio.sleep(seconds)
        seen.append(loop.now())


def test_host_is_made_once_and_alive() -> None:
    loop = SimulationLoop(seed=1)
    host = loop.host("frankfurt/n1")
    assert loop.host("frankfurt/n1") is host
    assert (host.alive, host.paused, host.life) == (True, False, 1)
    assert loop.current_host().name == "harness"
    loop.close()


def test_child_tasks_and_callbacks_belong_to_the_host_of_their_parent() -> None:
    async def story(loop: SimulationLoop) -> None:
        names: list[str] = []

        async def child() -> None:
            names.append(loop.current_host().name)
            loop.call_soon(lambda: names.append(loop.current_host().name))
            loop.call_later(1, lambda: names.append(loop.current_host().name))

        async def parent() -> None:
            await asyncio.create_task(child())
            names.append(loop.current_host().name)

        await loop.spawn(loop.host("tokyo/n1"), parent(), "parent")
        await asyncio.sleep(2)
        assert names == ["tokyo/n1"] * 4
        assert loop.current_host().name == "harness"

    play(story)


def test_crash_ends_tasks_without_finally_and_without_except() -> None:
    last_words: list[str] = []

    async def story(loop: SimulationLoop) -> None:
        host = loop.host("tokyo/n1")
        release = loop.create_future()

        async def work() -> None:
            try:
                await release
                last_words.append("went on")
            except BaseException:
                last_words.append("except")
            finally:
                last_words.append("finally")

        for _ in range(3):
            loop.spawn(host, work(), "work")
        loop.spawn(loop.host("tokyo/n2"), asyncio.sleep(1), "other")
        await asyncio.sleep(1)
        assert loop.crash(host) == 3
        release.set_result(None)
        await asyncio.sleep(10)
        assert not host.alive
        assert last_words == []

    loop = play(story)
    assert loop.failures == []


def test_crash_stops_what_is_ready_and_what_is_timed() -> None:
    async def story(loop: SimulationLoop) -> None:
        host, seen = loop.host("tokyo/n1"), list[str]()
        loop.call_on(host, 1.0, seen.append, "timer")
        loop.call_on(host, 0.0, seen.append, "ready")
        loop.crash(host)
        loop.call_on(host, 0.5, seen.append, "call on the dead")
        host.start()
        await asyncio.sleep(2)
        assert seen == []

    play(story)


def test_dead_timers_do_not_move_time() -> None:
    async def story(loop: SimulationLoop) -> None:
        host = loop.host("tokyo/n1")
        loop.spawn(host, asyncio.sleep(1_000), "sleeper")
        await asyncio.sleep(1)
        loop.crash(host)

    assert play(story).now() == 1.0


def test_next_life_has_nothing_of_the_last_but_the_clock() -> None:
    async def story(loop: SimulationLoop) -> None:
        host, seen = loop.host("tokyo/n1"), list[float]()
        host.clock.set_offset_ms(500)
        entropy, token = host.entropy, host.entropy.token()
        loop.spawn(host, beat(loop, seen), "beat")
        await asyncio.sleep(2.5)
        loop.crash(host)
        await asyncio.sleep(2)
        host.start()
        assert (host.alive, host.life, host.clock.error_ms()) == (True, 2, 500)
        assert host.entropy is not entropy
        assert host.entropy.token() != token
        loop.spawn(host, beat(loop, seen), "beat")
        await asyncio.sleep(2.5)
        assert seen == [1.0, 2.0, 5.5, 6.5]

    play(story)


def test_callback_of_a_lost_future_runs_for_the_living_only() -> None:
    async def story(loop: SimulationLoop) -> None:
        dead, living = loop.host("tokyo/n1"), loop.host("tokyo/n2")
        shared, seen = loop.create_future(), list[str]()

        async def wait(name: str) -> None:
            await shared
            seen.append(name)

        loop.spawn(dead, wait("dead"), "wait")
        loop.spawn(living, wait("living"), "wait")
        await asyncio.sleep(1)
        loop.crash(dead)
        dead.start()
        shared.set_result(None)
        await asyncio.sleep(1)
        assert seen == ["living"]

    play(story)


def test_paused_host_does_everything_at_once_when_it_goes_on() -> None:
    async def story(loop: SimulationLoop) -> None:
        host, seen = loop.host("tokyo/n1"), list[float]()
        for number in range(5):
            loop.call_on(host, number, lambda: seen.append(loop.now()))
        loop.spawn(host, beat(loop, seen, 2.0), "beat")
        await asyncio.sleep(0.5)
        loop.pause(host)
        assert (host.alive, host.paused) == (True, True)
        loop.call_on(host, 1.0, lambda: seen.append(loop.now()))
        await asyncio.sleep(9.5)
        assert seen == [0.0]
        loop.resume(host)
        await asyncio.sleep(1)
        assert seen == [0.0, *[10.0] * 6]
        await asyncio.sleep(1.5)
        assert seen[-1] == 12.0

    play(story)


def test_paused_host_that_crashes_forgets_what_it_owed() -> None:
    async def story(loop: SimulationLoop) -> None:
        host, seen = loop.host("tokyo/n1"), list[float]()
        loop.spawn(host, beat(loop, seen), "beat")
        await asyncio.sleep(0.5)
        loop.pause(host)
        await asyncio.sleep(5)
        loop.crash(host)
        loop.resume(host)
        host.start()
        await asyncio.sleep(5)
        assert (seen, host.paused) == ([], False)

    play(story)


def test_unfinished_generator_is_closed_on_its_host_and_not_on_a_dead_one() -> None:
    closed: list[str] = []

    async def story(loop: SimulationLoop) -> None:
        async def numbers() -> AsyncIterator[int]:
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(1)
                closed.append(loop.current_host().name)

        async def read_one(wait: float) -> None:
            generator = numbers()
            async for _ in generator:
                break
            await asyncio.sleep(wait)

        loop.spawn(loop.host("tokyo/n1"), read_one(0.5), "reader")
        loop.spawn(loop.host("tokyo/n2"), read_one(50), "reader")
        await asyncio.sleep(5)
        loop.crash(loop.host("tokyo/n2"))
        await asyncio.sleep(100)

    play(story)
    assert closed == ["tokyo/n1"]


def test_wrong_orders_to_hosts_are_refused() -> None:
    async def story(loop: SimulationLoop) -> None:
        host = loop.host("tokyo/n1")
        with pytest.raises(AssertionError, match="still alive"):
            host.start()
        with pytest.raises(AssertionError, match="harness cannot crash"):
            loop.crash(loop.host("harness"))
        loop.pause(host)
        with pytest.raises(AssertionError, match="paused already"):
            loop.pause(host)
        loop.crash(host)
        with pytest.raises(AssertionError, match="already dead"):
            loop.crash(host)
        with pytest.raises(AssertionError, match="is dead"):
            loop.spawn(host, (late := asyncio.sleep(1)), "late")
        late.close()

    play(story)
