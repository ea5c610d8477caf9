"""The end of a run: everything is mended, and the ring has to agree within a bound.

Agreement is judged by truth, not by what nodes say of themselves: every batch captured, every batch applied
everywhere, and all regions that host a zone holding the same bytes of its records.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from atoll.ids import Origin, RecordId, RegionName, ZoneName
from atoll.keyspace.position import zone_of
from atoll.keyspace.topology import Topology
from atoll.simulation.limits import SENTENCES_MAX
from atoll.simulation.storage.memory_shard import MemoryShard


def has_converged(topology: Topology, shards: Mapping[Origin, MemoryShard]) -> bool:
    """Whether nothing is on its way and all regions hold the same."""
    if any(shard.progress().pending for shard in shards.values()):
        return False
    for own, shard in shards.items():
        for origin, other in shards.items():
            if origin.region != own.region and shard.completed.at(origin) < other.captured:
                return False
    return not differences(topology, shards)


def differences(topology: Topology, shards: Mapping[Origin, MemoryShard]) -> list[str]:
    """Records that two hosting regions hold differently, as sentences, in order; a few of them."""
    held = {region: _contents(region, shards) for region in topology.regions}
    found: list[str] = []
    for zone in topology.zones.values():
        for first, other in pairwise(zone.regions):
            mine, theirs = (_of_zone(held[region], zone.name) for region in (first, other))
            found += [
                f"{record.collection}/{record.key} differs between {first} and {other}"
                for record in sorted(mine.keys() | theirs.keys())
                if mine.get(record) != theirs.get(record)
            ]
    return found[:SENTENCES_MAX]


def _contents(region: RegionName, shards: Mapping[Origin, MemoryShard]) -> dict[RecordId, tuple[bytes, bytes]]:
    return {
        record: (row.context, row.state)
        for origin, shard in shards.items()
        if origin.region == region
        for record, row in shard.records.items()
    }


def _of_zone(held: Mapping[RecordId, tuple[bytes, bytes]], zone: ZoneName) -> dict[RecordId, tuple[bytes, bytes]]:
    return {record: row for record, row in held.items() if zone_of(record.position) == zone}
