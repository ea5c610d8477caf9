"""Slips with the hybrid clock and its persisted bound."""

from __future__ import annotations

from typing import Any

from tests.simulations.mutants.mutant import Mutant, Replacement

from atoll import limits
from atoll.instant import LOGICAL_BITS, LOGICAL_MAX, ZERO, Timestamp, timestamp, wall_ms
from atoll.node import clock_keeper
from atoll.node.clock_keeper import ClockKeeper


def _wall_clock_only(self: ClockKeeper) -> Timestamp:
    return Timestamp(self._clock.wall_ms() << LOGICAL_BITS)


def _deaf(_self: ClockKeeper, _remote: Timestamp) -> None:
    """Nothing."""


async def _bound_in_memory(self: ClockKeeper) -> None:
    self._bound = _ahead(self._clock.wall_ms() + 60_000)


async def _open_without_floor(clock: Any, catalog: Any) -> ClockKeeper:
    return ClockKeeper(clock, catalog, ZERO, _ahead(clock.wall_ms()))


def _ahead(wall: int) -> Timestamp:
    return timestamp(wall + limits.CLOCK_BOUND_AHEAD_MS, LOGICAL_MAX)


def _bound_far_above(wall: int, last: Timestamp) -> Timestamp:
    """The rule before: as far ahead of the old bound as of the wall clock."""
    return _ahead(max(wall, wall_ms(last)))


MUTANTS = (
    Mutant(
        name="wall-clock-only",
        bug="timestamps are the wall clock's, not the hybrid clock's",
        promise="I14",
        scenario="slow-clock-in-sydney",
        replacements=[Replacement(ClockKeeper, "tick", _wall_clock_only)],
    ),
    Mutant(
        name="clock-ignores-others",
        bug="a node's clock does not move past the timestamps that it sees",
        promise="I14",
        scenario="slow-clock-in-sydney",
        replacements=[Replacement(ClockKeeper, "observe", _deaf)],
    ),
    Mutant(
        name="clock-bound-in-memory",
        bug="a node starts from its wall clock, not from the bound that was persisted",
        promise="I14",
        scenario="time-server-gone-mad",
        seconds=12.0,
        replacements=[
            Replacement(ClockKeeper, "_raise_bound", _bound_in_memory),
            Replacement(ClockKeeper, "open", staticmethod(_open_without_floor)),
        ],
    ),
    Mutant(
        name="clock-bound-runs-away",
        bug="every start of a node or an embedded client takes the region's clock two seconds further ahead",
        promise="I14",
        scenario="commuters",
        seed=1,
        replacements=[Replacement(clock_keeper, "_bound_above", _bound_far_above)],
    ),
)
