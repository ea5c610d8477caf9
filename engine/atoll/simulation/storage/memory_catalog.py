"""A catalog in memory that keeps the contract of the real one; ``tests/contracts`` runs one suite over both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from atoll.errors import StaleRoute, Unavailable
from atoll.ids import ShardName
from atoll.instant import ZERO, Timestamp
from atoll.keyspace.shard_map import ShardMap


@dataclass(slots=True)
class CatalogContent:
    """What a catalog keeps. The map is kept encoded, as the real one keeps it: nothing is shared."""

    document: dict[str, Any] | None = None
    bound: Timestamp = ZERO
    births: dict[ShardName, str] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The version of the newest map; 0 before the first."""
        newest: int = self.document["version"] if self.document else 0
        return newest

    def shard_map(self) -> ShardMap:
        assert self.document is not None, "a catalog is read before its first map was published"
        return ShardMap.decode(self.document)

    def publish(self, shard_map: ShardMap) -> None:
        self.check_follows(shard_map)
        self.document = shard_map.encode()

    def check_follows(self, shard_map: ShardMap) -> None:
        """Raises :class:`StaleRoute` unless the map's version is the next one."""
        if shard_map.version != self.version + 1:
            raise StaleRoute(f"version {shard_map.version} of the shard map does not follow {self.version}")

    def raise_bound(self, bound: Timestamp) -> None:
        self.bound = max(self.bound, bound)


class MemoryCatalog:
    """See :class:`~atoll.ports.Catalog`."""

    def __init__(self, first_map: ShardMap) -> None:
        assert first_map.version == 1, "a region's first map has version 1"
        self._content = CatalogContent(first_map.encode())
        self._closed = False

    async def shard_map(self) -> ShardMap:
        return self._opened().shard_map()

    async def publish(self, shard_map: ShardMap) -> None:
        self._opened().publish(shard_map)

    async def clock_bound(self) -> Timestamp:
        return self._opened().bound

    async def raise_clock_bound(self, bound: Timestamp) -> None:
        self._opened().raise_bound(bound)

    async def known_birth(self, shard: ShardName, birth: str) -> str:
        return self._opened().births.setdefault(shard, birth)

    async def close(self) -> None:
        self._closed = True

    def _opened(self) -> CatalogContent:
        if self._closed:
            raise Unavailable("the catalog is closed")
        return self._content
