"""The region's hybrid clock with its bound persisted ahead: no restart can take it back (promise I14).

The catalog holds a timestamp that no node of the region has passed. A node starts above it and raises it before it
needs to. While the catalog does not answer the clock stands still at the bound and counts its logical steps (65,536
of them, so writes go on and stay in causal order); when those are used up writes fail as unavailable, because the
next timestamp might be minted again after a restart.
"""

from __future__ import annotations

import asyncio

from atoll.causality.hybrid_clock import HybridClock
from atoll.errors import OutcomeUnknown, Unavailable
from atoll.instant import LOGICAL_MAX, Timestamp, timestamp, wall_ms
from atoll.limits import CLOCK_BOUND_AHEAD_MS, CLOCK_STEP_AHEAD_MS
from atoll.ports import Catalog, Clock


class ClockKeeper:
    """Mints the timestamps of one node. Made by :meth:`open`; one per process and region."""

    __slots__ = ("_bound", "_catalog", "_clock", "_hybrid", "_raising")

    def __init__(self, clock: Clock, catalog: Catalog, floor: Timestamp, bound: Timestamp) -> None:
        """``bound`` is already durable in the catalog, and ``floor < bound``."""
        self._clock = clock
        self._catalog = catalog
        self._bound = bound
        self._raising: asyncio.Task[None] | None = None
        self._hybrid = HybridClock(self._standing_wall_ms, floor)

    @classmethod
    async def open(cls, clock: Clock, catalog: Catalog) -> ClockKeeper:
        """Start above everything the region may have used. Raises what the catalog raises."""
        floor = await catalog.clock_bound()
        bound = _bound_above(clock.wall_ms(), floor)
        await catalog.raise_clock_bound(bound)
        return cls(clock, catalog, floor, bound)

    @property
    def last(self) -> Timestamp:
        """The greatest timestamp minted or observed."""
        return self._hybrid.last

    @property
    def bound(self) -> Timestamp:
        """No timestamp above this is handed out."""
        return self._bound

    def tick(self) -> Timestamp:
        """A fresh timestamp. Raises :class:`Unavailable` when it would pass the persisted bound."""
        stamp = self._hybrid.tick()
        if stamp > self._bound:
            raise Unavailable(
                "the region's catalog does not answer, so its clock may not advance and nothing can be written: "
                "bring the catalog's database back"
            )
        return stamp

    def observe(self, remote: Timestamp) -> None:
        """Make later ticks greater than ``remote``; raises ``ClockTooFarAhead`` as the hybrid clock does.

        Compared with the wall clock itself: a region that does not write does not raise its bound, and would
        otherwise refuse whatever others write a minute later.
        """
        self._hybrid.observe(remote, self._clock.wall_ms())

    async def prepare(self) -> None:
        """Keep the bound ahead; called before each group of ticks. Waits only when there is no room at all."""
        bound_ms = wall_ms(self._bound)
        above_wall_ms = bound_ms - self._clock.wall_ms()
        above_last_ms = bound_ms - wall_ms(self._hybrid.last)
        if above_wall_ms > CLOCK_BOUND_AHEAD_MS // 2 and above_last_ms > CLOCK_STEP_AHEAD_MS // 2:
            return
        if self._raising is None or self._raising.done():
            self._raising = asyncio.create_task(self._raise_bound())
        if min(above_wall_ms, above_last_ms) <= 0:
            await asyncio.shield(self._raising)

    async def close(self) -> None:
        """Wait for a bound that is being raised. Idempotent."""
        if self._raising is not None:
            await asyncio.gather(self._raising, return_exceptions=True)

    async def _raise_bound(self) -> None:
        bound = _bound_above(self._clock.wall_ms(), self._hybrid.last)
        try:
            await self._catalog.raise_clock_bound(bound)
        except (Unavailable, OutcomeUnknown):
            return  # the clock stands still at the old bound; the next group tries again
        self._bound = max(self._bound, bound)

    def _standing_wall_ms(self) -> int:
        return min(self._clock.wall_ms(), wall_ms(self._bound))


def _bound_above(wall: int, last: Timestamp) -> Timestamp:
    """Well ahead of the wall clock, and barely above ``last``: a start takes the old bound for the last timestamp
    used, and would otherwise go further ahead of the wall clock with each start."""
    ahead_ms = max(wall + CLOCK_BOUND_AHEAD_MS, wall_ms(last) + CLOCK_STEP_AHEAD_MS)
    return timestamp(ahead_ms, LOGICAL_MAX)
