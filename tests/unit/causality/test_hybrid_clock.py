"""The hybrid clock at its edges; its promises in general are in the laws."""

from __future__ import annotations

import pytest

from atoll.causality.hybrid_clock import HybridClock
from atoll.errors import ClockTooFarAhead
from atoll.instant import LOGICAL_MAX, logical, timestamp, wall_ms
from atoll.limits import CLOCK_AHEAD_MAX_MS


def test_tick_takes_the_wall_clock_when_it_has_moved_on() -> None:
    readings = iter([1000, 1001])
    clock = HybridClock(lambda: next(readings))
    assert clock.tick() == timestamp(1000)
    assert clock.tick() == timestamp(1001)


def test_tick_counts_up_while_the_wall_clock_stands_or_goes_back() -> None:
    readings = iter([1000, 1000, 400])
    clock = HybridClock(lambda: next(readings))
    assert [clock.tick() for _ in range(3)] == [timestamp(1000, 0), timestamp(1000, 1), timestamp(1000, 2)]


def test_logical_overflow_advances_the_wall_part() -> None:
    clock = HybridClock(lambda: 1000, floor=timestamp(1000, LOGICAL_MAX))
    stamp = clock.tick()
    assert (wall_ms(stamp), logical(stamp)) == (1001, 0)


def test_restart_with_the_persisted_floor_does_not_go_back() -> None:
    clock = HybridClock(lambda: 500, floor=timestamp(3000, 7))
    assert clock.tick() == timestamp(3000, 8)


def test_observe_at_equal_wall_part_moves_past_the_remote_counter() -> None:
    clock = HybridClock(lambda: 1000)
    clock.tick()
    clock.observe(timestamp(1000, 41))
    assert clock.tick() == timestamp(1000, 42)


def test_observe_of_the_past_changes_nothing() -> None:
    clock = HybridClock(lambda: 1000)
    clock.tick()
    clock.observe(timestamp(1))
    assert clock.last == timestamp(1000)


def test_observe_too_far_ahead_is_refused_and_says_by_how_much() -> None:
    clock = HybridClock(lambda: 1000)
    with pytest.raises(ClockTooFarAhead, match=f"{CLOCK_AHEAD_MAX_MS + 1} ms ahead"):
        clock.observe(timestamp(1000 + CLOCK_AHEAD_MAX_MS + 1))
    clock.observe(timestamp(1000 + CLOCK_AHEAD_MAX_MS))
    assert wall_ms(clock.tick()) == 1000 + CLOCK_AHEAD_MAX_MS
