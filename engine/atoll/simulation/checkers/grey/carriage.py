"""Batches as they cross between regions, put together again from the bytes of the messages.

A stream may break in the middle of a batch and begin the batch anew, so that parts of two attempts lie one behind the
other: the digest of the last part tells which of them belong to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xxhash import xxh3_64

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame
from atoll.ids import Origin, RegionName
from atoll.instant import Timestamp
from atoll.replication.messages import BatchPart
from atoll.replication.rows import Row, decode_rows
from atoll.rpc.codec.replication import read_stream_message
from atoll.simulation.naming import region_of
from atoll.simulation.observations import Carried


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """One whole batch that reached ``target``."""

    source: RegionName
    target: RegionName
    origin: Origin
    number: int
    dependencies: Cut
    timestamp: Timestamp
    rows: Sequence[Row] = field(repr=False)


_Key = tuple[str, str, Origin, int]


class Carriage:
    """Takes messages in any order of streams; gives back whole batches."""

    def __init__(self) -> None:
        self._parts: dict[_Key, list[bytes]] = {}

    def take(self, seen: Carried) -> Sequence[Shipment]:
        """The batch that this message completes. Messages that are no part of a batch are of no interest."""
        try:
            message = read_stream_message(seen.payload)
        except CorruptFrame:
            return ()
        if not isinstance(message, BatchPart):
            return ()
        key = (seen.source, seen.target, message.origin, message.number)
        parts = self._parts.setdefault(key, [])
        parts.append(message.payload)
        if not message.final:
            return ()
        del self._parts[key]
        return self._whole(seen, message, parts)

    def _whole(self, seen: Carried, last: BatchPart, parts: Sequence[bytes]) -> Sequence[Shipment]:
        for start in range(len(parts)):
            rows = b"".join(parts[start:])
            if xxh3_64(rows).intdigest() == last.digest:
                return (
                    Shipment(
                        source=region_of(seen.source),
                        target=region_of(seen.target),
                        origin=last.origin,
                        number=last.number,
                        dependencies=last.dependencies,
                        timestamp=last.timestamp,
                        rows=list(decode_rows(rows)),
                    ),
                )
        return ()
