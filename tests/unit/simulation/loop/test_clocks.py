"""Each host sees its own clock; timers follow it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.simulation.loop.worlds import play

from atoll.simulation.loop.clocks import EPOCH_MS, HostClock
from atoll.simulation.loop.event_loop import SimulationLoop


def test_time_jumps_to_the_next_timer() -> None:
    async def story(loop: SimulationLoop) -> None:
        assert loop.time() == 0.0
        await asyncio.sleep(86_400)
        assert loop.time() == loop.now() == 86_400.0

    play(story)


def test_offset_moves_wall_time_only() -> None:
    async def story(loop: SimulationLoop) -> None:
        clock = loop.host("sydney/n1").clock
        await clock.sleep(1.5)
        assert clock.wall_ms() == EPOCH_MS + 1_500
        clock.set_offset_ms(-40_000)
        assert (clock.wall_ms(), clock.monotonic(), clock.error_ms()) == (EPOCH_MS - 38_500, 1.5, -40_000)
        clock.set_offset_ms(0)
        assert clock.wall_ms() == EPOCH_MS + 1_500

    play(story)


def test_drift_runs_both_clocks_fast_from_when_it_is_set() -> None:
    async def story(loop: SimulationLoop) -> None:
        clock = loop.host("sydney/n1").clock
        await asyncio.sleep(100)
        clock.set_drift_ppm(10_000)
        await asyncio.sleep(100)
        assert clock.monotonic() == 201.0
        assert clock.error_ms() == 1_000
        clock.set_drift_ppm(0)
        await asyncio.sleep(100)
        assert clock.monotonic() == 301.0

    play(story)


def test_sleep_takes_the_time_of_its_own_host() -> None:
    async def nap(loop: SimulationLoop) -> tuple[float, float]:
        began = loop.time()
        await asyncio.sleep(10)
        return loop.now(), loop.time() - began

    async def story(loop: SimulationLoop) -> None:
        fast, slow = loop.host("fast"), loop.host("slow")
        fast.clock.set_drift_ppm(250_000)
        slow.clock.set_drift_ppm(-500_000)
        assert await loop.spawn(fast, nap(loop), "nap") == (8.0, 10.0)
        assert await loop.spawn(slow, nap(loop), "nap") == (28.0, 10.0)

    play(story)


def test_call_on_takes_true_time() -> None:
    async def story(loop: SimulationLoop) -> None:
        slow = loop.host("slow")
        slow.clock.set_drift_ppm(-500_000)
        seen: list[tuple[float, float, str]] = []
        loop.call_on(slow, 4.0, lambda: seen.append((loop.now(), loop.time(), loop.current_host().name)))
        await asyncio.sleep(5)
        assert seen == [(4.0, 2.0, "slow")]

    play(story)


@given(
    pieces=st.lists(
        st.tuples(st.integers(0, 10**13), st.integers(-999_999, 10**6), st.integers(-(10**6), 10**6)), max_size=20
    )
)
def test_monotonic_time_never_goes_back(pieces: list[tuple[int, int, int]]) -> None:
    now_ns = 0
    clock = HostClock(lambda: now_ns)
    last = clock.own_ns()
    for elapsed_ns, drift_ppm, offset_ms in pieces:
        clock.set_drift_ppm(drift_ppm)
        clock.set_offset_ms(offset_ms)
        assert clock.own_ns() == last
        now_ns += elapsed_ns
        assert clock.own_ns() >= last
        last = clock.own_ns()


@given(
    drift_ppm=st.integers(-900_000, 10**6),
    before_ns=st.integers(0, 10**15),
    seconds=st.floats(0.0, 1e6, allow_subnormal=False),
)
def test_timer_is_due_when_its_host_has_reached_its_time(drift_ppm: int, before_ns: int, seconds: float) -> None:
    now_ns = before_ns
    clock = HostClock(lambda: now_ns)
    clock.set_drift_ppm(drift_ppm)
    target = clock.monotonic() + seconds
    now_ns = max(now_ns, clock.true_moment_ns(target))
    assert clock.monotonic() >= target
    now_ns = before_ns
    began_ns = clock.own_ns()
    now_ns += clock.true_duration_ns(seconds)
    assert clock.own_ns() - began_ns >= round(seconds * 1e9)


@pytest.mark.parametrize("seconds", [1e-12, 1e-9, 0.1 + 0.2])
def test_waiting_for_what_is_left_gets_on(seconds: float) -> None:
    async def story(loop: SimulationLoop) -> None:
        deadline = loop.time() + seconds
        for _ in range(3):
            if (left := deadline - loop.time()) > 0:
                await asyncio.sleep(left)
        assert loop.time() >= deadline
        loop.call_on(loop.host("harness"), seconds, (done := loop.create_future()).set_result, None)
        before = loop.now_ns()
        await done
        assert loop.now_ns() > before

    play(story)


def test_past_and_present_timers_run_at_once() -> None:
    async def story(loop: SimulationLoop) -> None:
        await asyncio.sleep(5)
        ran = [loop.create_future() for _ in range(3)]
        loop.call_at(1.0, ran[0].set_result, None)
        loop.call_later(-3.0, ran[1].set_result, None)
        loop.call_on(loop.host("harness"), 0.0, ran[2].set_result, None)
        await asyncio.gather(*ran)
        assert loop.now() == 5.0

    play(story)
