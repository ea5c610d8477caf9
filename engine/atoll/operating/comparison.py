"""Do the regions hold the same? Streams of row digests, compared in step and in order, in constant memory.

Each region sends, for one zone, ``(collection, key, digest)`` of every row in the order of the keyspace line, the
digest being taken over the canonical bytes of the row's causal context and state. Regions that have seen the same
writes send the same stream (promise I3); the first rows that do not match are named.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from atoll.control import RowDigest
from atoll.ids import RegionName, ZoneName

DIFFERENCES_KEPT_MAX = 100
"""Differences that are kept by name; beyond, they are only counted. Larger: nobody reads on."""


class Difference(NamedTuple):
    """A row that is not the same everywhere."""

    zone: ZoneName
    collection: str
    key: str
    digests: Mapping[RegionName, bytes | None]
    """By region; ``None`` where there is no such row."""

    def describe(self) -> str:
        """One line: the record, then the regions, equal ones together."""
        groups: dict[bytes | None, list[str]] = {}
        for region, digest in self.digests.items():
            groups.setdefault(digest, []).append(region)
        sides = [
            f"{'missing' if digest is None else digest.hex()[:8]} in {', '.join(regions)}"
            for digest, regions in groups.items()
        ]
        return f"{self.collection}/{self.key} (zone {self.zone}): {'; '.join(sides)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneComparison:
    """What became of one zone."""

    zone: ZoneName
    rows: Mapping[RegionName, int]
    digests: Mapping[RegionName, str]
    """By region, one digest over all its rows in order: equal if and only if the regions hold the same bytes."""
    differences: Sequence[Difference]
    """The first :data:`DIFFERENCES_KEPT_MAX` of them."""
    difference_count: int

    @property
    def is_identical(self) -> bool:
        return self.difference_count == 0 and len(set(self.digests.values())) <= 1


class _Cursor:
    """One region's stream and its next row."""

    def __init__(self, rows: AsyncIterator[RowDigest], position_of: Callable[[str, str], bytes]) -> None:
        self._rows = rows
        self._position_of = position_of
        self._hash = blake2b(digest_size=16)
        self.row: RowDigest | None = None
        self.order: tuple[bytes, str, str] | None = None
        self.count = 0

    async def advance(self) -> None:
        self.row = await anext(self._rows, None)
        if self.row is None:
            self.order = None
            return
        collection, key, digest = self.row
        order = (self._position_of(collection, key), collection, key)
        assert self.order is None or self.order < order, f"rows out of order at {collection}/{key}"
        self.order = order
        self.count += 1
        for part in (collection.encode(), key.encode(), digest):
            self._hash.update(len(part).to_bytes(4, "big") + part)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


async def compare_zone(
    zone: ZoneName,
    streams: Mapping[RegionName, AsyncIterator[RowDigest]],
    position_of: Callable[[str, str], bytes],
) -> ZoneComparison:
    """Read the streams in step; ``position_of`` gives the position of ``(collection, key)``, hence the order.

    What the streams raise passes through.
    """
    cursors = {region: _Cursor(rows, position_of) for region, rows in streams.items()}
    for cursor in cursors.values():
        await cursor.advance()
    kept: list[Difference] = []
    count = 0
    while orders := [cursor.order for cursor in cursors.values() if cursor.order is not None]:
        least = min(orders)
        here = {region: cursor for region, cursor in cursors.items() if cursor.order == least}
        digests = {region: cursor.row.digest for region, cursor in here.items() if cursor.row is not None}
        if len(here) < len(cursors) or len(set(digests.values())) > 1:
            count += 1
            if len(kept) < DIFFERENCES_KEPT_MAX:
                kept.append(Difference(zone, least[1], least[2], {r: digests.get(r) for r in cursors}))
        for cursor in here.values():
            await cursor.advance()
    return ZoneComparison(
        zone=zone,
        rows={region: cursor.count for region, cursor in cursors.items()},
        digests={region: cursor.hexdigest() for region, cursor in cursors.items()},
        differences=kept,
        difference_count=count,
    )
