"""A region's databases as simulated processes open them: every call travels from the calling host to a server."""

from __future__ import annotations

from collections.abc import Mapping

from atoll.ids import Origin
from atoll.keyspace.shard_map import ShardMap
from atoll.keyspace.topology import Region, Shard
from atoll.ports import Catalog, ShardStore
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.storage.database import Database
from atoll.simulation.storage.simulated_catalog import open_simulated_catalog
from atoll.simulation.storage.simulated_store import open_simulated_store


class MemoryStorage:
    """See :class:`~atoll.ports.Storage`. One serves all processes: what it opens belongs to the host that asks."""

    def __init__(self, loop: SimulationLoop, databases: Mapping[Origin, Database]) -> None:
        self._loop = loop
        self._databases = databases

    async def open_catalog(self, region: Region, first_map: ShardMap) -> Catalog:
        """Beside the first shard."""
        database = self._databases[Origin(region.name, region.shards[0].name)]
        return await open_simulated_catalog(database, self._loop.current_host(), first_map)

    async def open_shard(self, ring: str, region: Region, shard: Shard) -> ShardStore:  # noqa: ARG002 - there is one
        """A simulated database belongs to no other ring."""
        database = self._databases[Origin(region.name, shard.name)]
        return await open_simulated_store(database, self._loop.current_host())
