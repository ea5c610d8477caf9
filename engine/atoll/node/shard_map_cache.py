"""The newest shard map that this node knows, for parts that split what arrives by it."""

from __future__ import annotations

from atoll.keyspace.shard_map import ShardMap
from atoll.ports import Catalog


class ShardMapCache:
    """Starts from a map that was read from the catalog; versions only grow."""

    def __init__(self, catalog: Catalog, first: ShardMap) -> None:
        self._catalog = catalog
        self._newest = first

    def newest(self) -> ShardMap:
        """The newest known."""
        return self._newest

    async def refresh(self) -> ShardMap:
        """Fetch the catalog's. Raises what the catalog raises."""
        found = await self._catalog.shard_map()
        if found.version > self._newest.version:
            self._newest = found
        return self._newest
