"""The law of zones at both ends of a link: which rows may cross it (promise I8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from atoll.errors import CorruptFrame, ResidencyViolation
from atoll.ids import RegionName, ZoneName
from atoll.keyspace.key_range import KeyRange
from atoll.keyspace.position import zone_range
from atoll.keyspace.topology import Topology
from atoll.replication.rows import Span


class ZoneSet:
    """The zones that one region may hold: an allow list, so that a zone nobody has heard of never passes."""

    __slots__ = ("_allowed", "region", "zones")

    def __init__(self, region: RegionName, zones: Iterable[ZoneName]) -> None:
        self.region = region
        self.zones = frozenset(zones)
        self._allowed = frozenset(zone.encode() for zone in self.zones)

    @staticmethod
    def of(topology: Topology, region: RegionName) -> ZoneSet:
        """What the topology lets ``region`` hold."""
        return ZoneSet(region, (zone.name for zone in topology.hosted_zones(region)))

    def ranges(self) -> Sequence[KeyRange]:
        """The positions of these zones, in order."""
        return [zone_range(zone) for zone in sorted(self.zones)]

    def refuse_others(self, rows: Iterable[Span], name: str) -> None:
        """Raise :class:`ResidencyViolation` if any of ``rows`` lies in another zone, :class:`CorruptFrame` if it
        lies in none. ``name`` says what the rows belong to."""
        allowed = self._allowed
        for row in rows:
            zone, separator, _ = row.position.partition(b"\0")
            if not separator or zone not in allowed:
                self._refuse(zone, separator, name)

    def _refuse(self, zone: bytes, separator: bytes, name: str) -> None:
        if not separator:
            raise CorruptFrame(f"{name} holds a row whose position names no zone")
        raise ResidencyViolation(
            f"{name} holds a record of zone {zone.decode(errors='replace')!r}, which {self.region} may not hold; "
            "the whole batch was refused: compare the zones in the configurations of both regions"
        )
