"""Looking at a real ring a few times a second, through the nodes' own word: what they have captured and applied.

The grey box is closed here: nobody sees a commit but its shard. Staleness is therefore known as roughly as the looks
are far apart, and by what nodes say of themselves; what clients saw is the judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from atoll.control import NodeStatus
from atoll.errors import AtollError
from atoll.ids import Origin, RegionName
from atoll.operating.access import RingAccess
from atoll.simulation.limits import REAL_LOOK_SECONDS_MAX, SENTENCES_MAX, SETTLE_LOOK_SECONDS, SETTLE_LOOKS
from atoll.simulation.result import Sample
from atoll.simulation.world.clients import Surroundings


class Watch:
    """Samples of a real ring."""

    def __init__(self, access: RingAccess, now: Callable[[], float]) -> None:
        self._access = access
        self._now = now
        self._captured: dict[Origin, list[tuple[int, float]]] = {}
        """Batch numbers of each shard, and when each was first seen there."""
        self.samples: list[Sample] = []

    async def look(self) -> None:
        """Add the sample of this moment; regions that are silent are missing in it."""
        statuses = await statuses_of(self._access)
        at = self._now()
        for region, status in statuses.items():
            for shard in self._access.topology.regions[region].shards:
                origin = Origin(region, shard.name)
                self._note(origin, status.cut.at(origin), at)
        pairs = [(reader, origin) for reader in statuses for origin in statuses if reader != origin]
        self.samples.append(
            Sample(
                at=at,
                behind={(reader, origin): self._behind(statuses[reader], origin) for reader, origin in pairs},
                stale_seconds={
                    (reader, origin): self._stale(statuses[reader], origin, at) for reader, origin in pairs
                },
                log_rows={
                    f"{region}/{shard.name}": shard.log_rows
                    for region, status in statuses.items()
                    for shard in status.shards
                },
            )
        )

    def _note(self, origin: Origin, number: int, at: float) -> None:
        seen = self._captured.setdefault(origin, [])
        if not seen or seen[-1][0] < number:
            seen.append((number, at))

    def _origins(self, region: RegionName) -> list[Origin]:
        return [origin for origin in self._captured if origin.region == region]

    def _behind(self, reader: NodeStatus, region: RegionName) -> int:
        return sum(max(0, self._captured[origin][-1][0] - reader.cut.at(origin)) for origin in self._origins(region))

    def _stale(self, reader: NodeStatus, region: RegionName, at: float) -> float:
        """The age of the oldest batch of ``region`` that the reader lacks."""
        lacking = [
            next((first for number, first in self._captured[origin] if number > reader.cut.at(origin)), at)
            for origin in self._origins(region)
        ]
        return at - min(lacking, default=at)


async def statuses_of(access: RingAccess) -> Mapping[RegionName, NodeStatus]:
    """What each region says of itself; the silent ones are missing."""

    async def ask(region: RegionName) -> NodeStatus | None:
        try:
            async with asyncio.timeout(REAL_LOOK_SECONDS_MAX):
                return await access.status(region)
        except (AtollError, TimeoutError):
            return None

    regions = list(access.topology.regions)
    answers = await asyncio.gather(*map(ask, regions))
    return {region: status for region, status in zip(regions, answers, strict=True) if status is not None}


async def settled(access: RingAccess, around: Surroundings, seconds: float) -> tuple[float | None, Sequence[str]]:
    """Wait until every region has all, for at most so long; then compare them row by row.

    Returns when the first of the looks was made that showed it, in ``around``'s time, or ``None`` and what is wrong.
    """
    deadline, agreed_at, agreeing, before = around.now() + seconds, around.now(), 0, None
    while agreeing < SETTLE_LOOKS:
        if around.now() > deadline:
            return None, ["batches are still on their way, or a region is silent"]
        looked_at = around.now()
        statuses = await statuses_of(access)
        cuts = [status.cut for status in statuses.values()]
        if len(cuts) == len(access.topology.regions) and cuts[0] == before and all(cut == before for cut in cuts):
            agreeing += 1
        else:
            agreed_at, agreeing = looked_at, 0
        before = cuts[0] if cuts else None
        await around.sleep(SETTLE_LOOK_SECONDS)
    verification = await access.verify()
    return (agreed_at, []) if verification.is_identical else (None, verification.differences()[:SENTENCES_MAX])
