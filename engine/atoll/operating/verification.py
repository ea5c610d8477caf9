"""Do all regions hold the same bytes? Every zone, in every region that may hold it, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from atoll.control import RowDigest
from atoll.ids import RegionName, ZoneName
from atoll.keyspace.placement import place
from atoll.keyspace.topology import Topology
from atoll.operating.comparison import ZoneComparison, compare_zone
from atoll.ports import ControlSurface


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The comparison of all zones."""

    regions: Sequence[RegionName]
    zones: Sequence[ZoneComparison]

    @property
    def is_identical(self) -> bool:
        return all(zone.is_identical for zone in self.zones)

    @property
    def difference_count(self) -> int:
        return sum(zone.difference_count for zone in self.zones)

    @property
    def rows(self) -> int:
        """Rows that were compared, each counted once, tombstones included."""
        return sum(max(zone.rows.values()) for zone in self.zones)

    def agreeing(self) -> Sequence[RegionName]:
        """The regions that hold, of every zone they may hold, what most of that zone's regions hold."""
        return [region for region in self.regions if all(_agrees(region, zone) for zone in self.zones)]

    def verdict(self) -> str:
        """The one line that sums it up."""
        state = "converged" if self.is_identical else "NOT converged"
        return f"{state}: {len(self.agreeing())} of {len(self.regions)} regions identical"

    def differences(self) -> list[str]:
        """One line for each row that differs; a last one for those that were only counted."""
        named = [difference.describe() for zone in self.zones for difference in zone.differences]
        more = self.difference_count - len(named)
        return [*named, *([f"and {more:,} more"] if more else [])]

    def as_json(self) -> dict[str, Any]:
        """Every figure, for scripts."""
        return {
            "identical": self.is_identical,
            "verdict": self.verdict(),
            "rows": self.rows,
            "differences": self.differences(),
            "difference_count": self.difference_count,
            "zones": [
                {"zone": zone.zone, "identical": zone.is_identical, "rows": zone.rows, "digests": zone.digests}
                for zone in self.zones
            ],
        }


async def verify_regions(topology: Topology, controls: Mapping[RegionName, ControlSurface]) -> Verification:
    """Compare the regions as they are now. While writes are under way a difference may be mere lag: repeat."""
    zones = [
        await _compare(
            topology, zone.name, {region: controls[region] for region in topology.regions if region in zone.regions}
        )
        for zone in topology.zones.values()
    ]
    return Verification(regions=list(topology.regions), zones=zones)


async def _compare(
    topology: Topology, zone: ZoneName, controls: Mapping[RegionName, ControlSurface]
) -> ZoneComparison:
    async with AsyncExitStack() as stack:
        streams: dict[RegionName, AsyncIterator[RowDigest]] = {
            region: await stack.enter_async_context(aclosing(_rows(control, zone)))
            for region, control in controls.items()
        }
        return await compare_zone(zone, streams, partial(_position, topology, zone))


async def _rows(control: ControlSurface, zone: ZoneName) -> AsyncGenerator[RowDigest, None]:
    async for chunk in control.digest(zone):
        for row in chunk:
            yield row


def _position(topology: Topology, zone: ZoneName, collection: str, key: str) -> bytes:
    return place(topology.collection(collection), zone, key)


def _agrees(region: RegionName, zone: ZoneComparison) -> bool:
    """Whether the region holds the zone's commonest content; of equally common ones the first region's counts."""
    if region not in zone.digests:
        return True
    [(commonest, _)] = Counter(zone.digests.values()).most_common(1)
    return zone.digests[region] == commonest
