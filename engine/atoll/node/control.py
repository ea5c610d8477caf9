"""A node's answers to operators: how it is, what its region holds row by row, where a record lives, and drills."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from hashlib import blake2b

from atoll import limits
from atoll.causality.cut import Cut
from atoll.control import Location, NodeStatus, PeerStatus, RowDigest, ShardStatus
from atoll.errors import AtollError, ZoneNotHosted
from atoll.ids import CollectionName, NodeName, RecordId, RegionName, ShardName, ZoneName
from atoll.keyspace.placement import place, resolve_zone
from atoll.keyspace.position import zone_range
from atoll.keyspace.router import home_first
from atoll.keyspace.shard_map import ShardMap
from atoll.keyspace.topology import Topology
from atoll.node.drill import Drill
from atoll.node.merged_scan import merged_scan
from atoll.ports import ShardStore, StoredRecord

DIGEST_CHUNK_ROWS = 1_024


class NodeControl:
    """The control surface of one node (:class:`~atoll.ports.ControlSurface`)."""

    def __init__(
        self,
        *,
        topology: Topology,
        region: RegionName,
        node: NodeName,
        stores: Mapping[ShardName, ShardStore],
        shard_map: Callable[[], ShardMap],
        peers: Callable[[], Sequence[PeerStatus]],
        merged: Callable[[ShardName], int],
        cut: Callable[[], Cut],
        drill: Drill,
    ) -> None:
        self._topology = topology
        self._region = region
        self._node = node
        self._stores = stores
        self._shard_map = shard_map
        self._peers = peers
        self._merged = merged
        self._cut = cut
        self._drill = drill

    async def status(self) -> NodeStatus:
        """The node's view now. A shard that does not answer within a bound is reported as such."""
        shard_map = self._shard_map()
        shards = await asyncio.gather(
            *(self._shard_status(name, store, shard_map) for name, store in sorted(self._stores.items()))
        )
        return NodeStatus(
            ring=self._topology.ring,
            region=self._region,
            node=self._node,
            map_version=shard_map.version,
            shards=shards,
            peers=self._peers(),
            cut=self._cut(),
            cut_off_from=sorted(self._drill.cut_off_from),
        )

    async def _shard_status(self, name: ShardName, store: ShardStore, shard_map: ShardMap) -> ShardStatus:
        ranges = len(shard_map.ranges_of(name))
        try:
            async with asyncio.timeout(limits.STATUS_SECONDS_MAX):
                found = await store.statistics()
        except TimeoutError:
            problem = f"no answer within {limits.STATUS_SECONDS_MAX:g} s"
            return ShardStatus(name=name, answering=False, problem=problem, ranges=ranges)
        except AtollError as error:
            return ShardStatus(name=name, answering=False, problem=error.message, ranges=ranges)
        return ShardStatus(
            name=name,
            answering=True,
            records=found.records,
            tombstones=found.tombstones,
            log_rows=found.log_rows,
            log_bytes=found.log_bytes,
            captured=found.captured,
            ranges=ranges,
            records_merged=self._merged(name),
        )

    async def digest(self, zone: ZoneName) -> AsyncIterator[Sequence[RowDigest]]:
        """All rows of a zone over the region's shards, in order. Each shard is read in one snapshot of its own, so
        that under writes two regions agree only once the writes have arrived."""
        law = self._topology.zone(zone)
        if self._region not in law.regions:
            raise ZoneNotHosted(
                f"region {self._region} does not hold zone {zone}; ask one of {', '.join(home_first(law))}"
            )
        scans = [store.scan(zone_range(zone)) for _, store in sorted(self._stores.items())]
        chunk: list[RowDigest] = []
        async for record, stored in merged_scan(scans):
            chunk.append(RowDigest(record.collection, record.key, row_digest(record, stored)))
            if len(chunk) == DIGEST_CHUNK_ROWS:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    async def locate(self, collection: CollectionName, zone: ZoneName | None, key: str) -> Location:
        """Where this region keeps a record, by its map; raises the caller's errors of a request for it."""
        placed = self._topology.collection(collection)
        law = self._topology.zone(resolve_zone(placed, zone))
        position = place(placed, law.name, key)
        assignment = self._shard_map().locate(position) if self._region in law.regions else None
        return Location(
            zone=law.name,
            position=position,
            shard=None if assignment is None else assignment.shard,
            epoch=0 if assignment is None else assignment.epoch,
            regions=home_first(law),
        )

    async def drill(self, cut_off_from: Collection[RegionName]) -> None:
        """Play dead to exactly these regions; none of them: heal."""
        self._drill.set(cut_off_from)


def row_digest(record: RecordId, stored: StoredRecord) -> bytes:
    """16 bytes over everything that must be equal in every region; each part with its length, so none can shift."""
    digest = blake2b(digest_size=16)
    for part in (record.collection.encode(), record.key.encode(), stored.context, stored.state):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()
