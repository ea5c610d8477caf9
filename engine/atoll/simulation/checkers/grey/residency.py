"""I8: no value of a zone is ever outside the zone's regions: in no shard, and in no message to one.

Rows are judged by their positions. Beyond that the bytes of every replication message to a region are searched for
the positions and the last values of records that the region may not hold, whatever the message claims to be. Values
that were also written in another zone betray nothing.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from atoll.crdt.packing import pack
from atoll.ids import Origin, RecordId, RegionName, ZoneName
from atoll.keyspace.position import HASH_BYTES, zone_of
from atoll.simulation.checkers.grey.checker import Check, Commit, Look, told
from atoll.simulation.checkers.grey.ledger import Ledger
from atoll.simulation.checkers.grey.writes import Assignment, Membership, RecordedWrite
from atoll.simulation.limits import NEEDLE_BYTES_MIN, NEEDLES_PER_ZONE_MAX
from atoll.simulation.naming import region_of
from atoll.simulation.observations import Applied, Carried


class Residency(Check):
    """Where rows are, and where they go."""

    name = "residency inside"
    promise = "I8 residency: no value of a zone is stored in, or sent to, a region outside of it"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._positions: dict[ZoneName, dict[bytes, RecordId]] = {}
        self._values: dict[ZoneName, deque[bytes]] = {zone: deque() for zone in ledger.topology.zones}
        self._written: dict[bytes, ZoneName | None] = {}
        """Every value by the one zone it was written in, ``None`` if in several: then it betrays nothing."""
        regions = set(ledger.topology.regions)
        self._foreign: dict[RegionName, list[ZoneName]] = {
            region: [name for name, zone in sorted(ledger.topology.zones.items()) if region not in zone.regions]
            for region in sorted(regions)
        }
        self._limited = {name for name, zone in ledger.topology.zones.items() if regions - set(zone.regions)}

    def committed(self, commit: Commit) -> None:
        for write in commit.writes:
            self._check_held(commit.seen.shard, write.id)
            if self._limited:
                self._remember(zone_of(write.id.position), write)

    def applied(self, seen: Applied) -> None:
        for row in seen.rows:
            self._check_held(seen.shard, row.id)

    def sampled(self, look: Look) -> None:
        for sighting in look.changed:
            self._check_held(sighting.shard, sighting.id)

    def carried(self, seen: Carried) -> None:
        target = region_of(seen.target)
        for shipment in self.ledger.shipments:
            for row in shipment.rows:
                self.checks += 1
                if not self.ledger.hosts(target, row.id):
                    self._tell_sent(seen, f"the record {told(row.id)} of zone {zone_of(row.id.position)}")
        for zone in self._foreign.get(target, ()):
            self.checks += 1
            self._search(seen, zone)

    def _check_held(self, shard: Origin, id: RecordId) -> None:
        self.checks += 1
        if not self.ledger.hosts(shard.region, id):
            self.find(
                "record outside its zone",
                f"{shard} holds {told(id)} of zone {zone_of(id.position)}, which {shard.region} may not hold.",
                places=[str(shard)],
            )

    # -- bytes ----------------------------------------------------------------------------------------------------

    def _remember(self, zone: ZoneName, write: RecordedWrite) -> None:
        if zone in self._limited:
            self._positions.setdefault(zone, {})[write.id.position] = write.id
        values = self._values[zone]
        for value in _values(write):
            if isinstance(value, (str, bytes)) and len(value) >= NEEDLE_BYTES_MIN:
                packed = pack(value)
                if packed not in self._written:
                    values.append(packed)
                if self._written.setdefault(packed, zone) != zone:
                    self._written[packed] = None
        while len(values) > NEEDLES_PER_ZONE_MAX:
            values.popleft()

    def _search(self, seen: Carried, zone: ZoneName) -> None:
        known = self._positions.get(zone)
        if not known:
            return
        head, payload = zone.encode() + b"\0", seen.payload
        at = payload.find(head)
        while at >= 0:
            found = known.get(payload[at : at + len(head) + HASH_BYTES])
            if found is not None:
                self._tell_sent(seen, f"the position of {told(found)} of zone {zone}")
                return
            at = payload.find(head, at + 1)
        if any(value in payload and self._written[value] for value in self._values[zone]):
            self._tell_sent(seen, f"a value of a record of zone {zone}")

    def _tell_sent(self, seen: Carried, what: str) -> None:
        self.find(
            "value sent outside its zone",
            f"A message from {seen.source} to {seen.target} at {self.ledger.now:.3f} s holds {what}.",
            places=[seen.source, seen.target],
        )


def _values(write: RecordedWrite) -> list[Any]:
    found: list[Any] = []
    for effect in write.effects.values():
        match effect:
            case Assignment(entry=entry) if entry is not None:
                found.append(entry[3])
            case Membership(added=added):
                found += added
            case _:
                pass
    return found
