"""A verified batch, checked for residency and split by the region's own shards: what the inbox holds.

Every row is looked at before anything is kept: a row of a zone that this region may not hold condemns the whole batch
(promise I8). What passes is cut by the region's shard map, whose ranges need not match the sender's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from atoll.causality.cut import Cut
from atoll.errors import StaleRoute
from atoll.ids import Origin, ShardName
from atoll.instant import Timestamp
from atoll.keyspace.shard_map import ShardMap
from atoll.replication.frames import ReceivedBatch
from atoll.replication.residency import ZoneSet
from atoll.replication.rows import Span, spans


@dataclass(slots=True, kw_only=True)
class Parcel:
    """One batch on its way into the own shards. ``parts`` holds each shard's rows; shards without any are absent."""

    origin: Origin
    number: int
    dependencies: Cut
    timestamp: Timestamp
    records: int
    size_bytes: int
    parts: Mapping[ShardName, bytes] = field(repr=False)
    map_version: int

    def reroute(self, shard_map: ShardMap) -> None:
        """Split anew if the map has changed since. Raises :class:`StaleRoute`, and stays as it was, as :func:`admit`
        does."""
        if self.map_version != shard_map.version:
            rows = b"".join(self.parts.values())
            self.parts = _split(rows, spans(rows), shard_map, f"batch {self.number} of {self.origin}")
            self.map_version = shard_map.version


def admit(batch: ReceivedBatch, hosted: ZoneSet, shard_map: ShardMap) -> Parcel:
    """Check and split a batch. Raises :class:`ResidencyViolation` or :class:`CorruptFrame` as
    :meth:`ZoneSet.refuse_others` does, :class:`StaleRoute` if the map has no shard for a hosted row."""
    name = f"batch {batch.number} of {batch.origin}"
    hosted.refuse_others(batch.spans, name)
    return Parcel(
        origin=batch.origin,
        number=batch.number,
        dependencies=batch.dependencies,
        timestamp=batch.timestamp,
        records=len(batch.spans),
        size_bytes=len(batch.rows),
        parts=_split(batch.rows, batch.spans, shard_map, name),
        map_version=shard_map.version,
    )


def cut_chunks(rows: bytes, chunk_bytes: int) -> Sequence[bytes]:
    """``rows`` in pieces of whole tuples, each at most ``chunk_bytes`` unless one tuple is larger."""
    chunks: list[bytes] = []
    start = end = 0
    for span in spans(rows):
        if span.end - start > chunk_bytes and end > start:
            chunks.append(rows[start:end])
            start = end
        end = span.end
    return [*chunks, rows[start:end]]


def _split(rows: bytes, found: Iterable[Span], shard_map: ShardMap, name: str) -> Mapping[ShardName, bytes]:
    parts: dict[ShardName, list[bytes]] = {}
    for position, start, end in found:
        assignment = shard_map.locate(position)
        if assignment is None:
            raise StaleRoute(f"{name} holds a record at {position.hex()}, for which the shard map has no shard")
        parts.setdefault(assignment.shard, []).append(rows[start:end])
    return {shard: b"".join(pieces) for shard, pieces in parts.items()}
