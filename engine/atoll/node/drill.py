"""A drill: playing dead to other regions on purpose, to see what a partition does."""

from __future__ import annotations

from collections.abc import Iterable

from atoll.errors import Unavailable
from atoll.ids import RegionName
from atoll.node.waiting import Bell


class Drill:
    """The regions this node plays dead to, both ways: it drops streams at once, dials and forwards nothing, and
    refuses what they send. Does not outlive the node."""

    def __init__(self) -> None:
        self._cut_off_from: frozenset[RegionName] = frozenset()
        self._bell = Bell()

    @property
    def cut_off_from(self) -> frozenset[RegionName]:
        return self._cut_off_from

    def set(self, regions: Iterable[RegionName]) -> None:
        """Play dead to exactly these regions from now on; none of them: heal."""
        self._cut_off_from = frozenset(regions)
        self._bell.ring()

    def check(self, region: RegionName) -> None:
        """Raise :class:`Unavailable` if the drill cuts ``region`` off."""
        if region in self._cut_off_from:
            raise Unavailable(f"a drill cuts this node off from {region}; `atoll drill heal` ends it")

    async def wait_until_cut_off_from(self, region: RegionName) -> None:
        """Return as soon as ``region`` is cut off."""
        while region not in self._cut_off_from:
            await self._bell.wait(self._bell.ticket())

    async def wait_until_healed(self, region: RegionName) -> None:
        """Return as soon as ``region`` is not cut off."""
        while region in self._cut_off_from:
            await self._bell.wait(self._bell.ticket())
