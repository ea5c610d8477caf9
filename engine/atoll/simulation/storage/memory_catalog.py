"""A catalog in memory that keeps the contract of the real one; ``tests/contracts`` runs one suite over both."""

from __future__ import annotations

from typing import Any

from atoll.errors import StaleRoute, Unavailable
from atoll.ids import ShardName
from atoll.instant import ZERO, Timestamp
from atoll.keyspace.shard_map import ShardMap


class MemoryCatalog:
    """See :class:`~atoll.ports.Catalog`. The map is kept encoded, as the real one keeps it: nothing is shared."""

    def __init__(self, first_map: ShardMap) -> None:
        assert first_map.version == 1, "a region's first map has version 1"
        self._document: dict[str, Any] = first_map.encode()
        self._bound = ZERO
        self._births: dict[ShardName, str] = {}
        self._closed = False

    async def shard_map(self) -> ShardMap:
        self._check_open()
        return ShardMap.decode(self._document)

    async def publish(self, shard_map: ShardMap) -> None:
        self._check_open()
        newest: int = self._document["version"]
        if shard_map.version != newest + 1:
            raise StaleRoute(f"version {shard_map.version} of the shard map does not follow {newest}")
        self._document = shard_map.encode()

    async def clock_bound(self) -> Timestamp:
        self._check_open()
        return self._bound

    async def raise_clock_bound(self, bound: Timestamp) -> None:
        self._check_open()
        self._bound = max(self._bound, bound)

    async def known_birth(self, shard: ShardName, birth: str) -> str:
        self._check_open()
        return self._births.setdefault(shard, birth)

    async def close(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the catalog is closed")
