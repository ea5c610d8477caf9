"""How far a region's shards have come with every remote origin, as this node knows it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from atoll.causality.cut import Cut, meet_all
from atoll.ids import Origin, ShardName
from atoll.node.waiting import Bell
from atoll.ports import Clock


class RegionProgress:
    """Per own shard, the cut of remote batches that are complete there. A lower bound of the truth: another node of
    the region may have brought a shard further. Cuts only grow."""

    def __init__(self, shards: Iterable[ShardName], clock: Clock) -> None:
        self._cuts = dict.fromkeys(shards, Cut.EMPTY)
        self._region = Cut.EMPTY
        self._bell = Bell()
        self._region_bell = Bell()
        """Rings less often: the region's cut moves with its slowest shard."""
        self._clock = clock

    def shard(self, shard: ShardName) -> Cut:
        """What one shard reflects in full."""
        return self._cuts[shard]

    def region(self) -> Cut:
        """What all shards reflect in full: their entrywise minimum."""
        return self._region

    async def changed_within(self, seconds: float) -> None:
        """Return after the next advance of any shard, at the latest after ``seconds``. To miss none, use
        :meth:`wait_for`."""
        await self._bell.wait_at_most(self._bell.ticket(), seconds, self._clock)

    async def wait_for(self, shard: ShardName, cut: Cut, deadline: float) -> bool:
        """Wait until ``shard`` covers ``cut``; ``False`` if the clock's :meth:`~atoll.ports.Clock.monotonic` passes
        ``deadline`` first."""
        while not self._cuts[shard].covers(cut):
            left_seconds = deadline - self._clock.monotonic()
            if left_seconds <= 0:
                return False
            await self._bell.wait_at_most(self._bell.ticket(), left_seconds, self._clock)
        return True

    async def beyond(self, told: Cut, origins: Collection[Origin]) -> None:
        """Return once the region's cut exceeds ``told`` in any of ``origins``."""
        while all(self._region.at(origin) <= told.at(origin) for origin in origins):
            await self._region_bell.wait(self._region_bell.ticket())

    def learn(self, shard: ShardName, cut: Cut) -> None:
        """``shard`` covers at least ``cut``; older news changes nothing."""
        known = self._cuts[shard]
        joined = known.join(cut)
        if joined == known:
            return
        self._cuts[shard] = joined
        before, self._region = self._region, meet_all(self._cuts.values())
        self._bell.ring()
        if self._region != before:
            self._region_bell.ring()
