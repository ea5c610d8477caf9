"""A region's databases as its configuration names them: on Postgres."""

from __future__ import annotations

from atoll.errors import InvalidConfiguration
from atoll.ids import Origin
from atoll.keyspace.shard_map import ShardMap
from atoll.keyspace.topology import Region, Shard
from atoll.ports import Catalog, ShardStore
from atoll.postgres.catalog import open_catalog
from atoll.postgres.shard_store import open_shard_store


class PostgresStorage:
    """See :class:`~atoll.ports.Storage`. A shard without a DSN is :class:`InvalidConfiguration`."""

    async def open_catalog(self, region: Region, first_map: ShardMap) -> Catalog:
        """On its own database, or beside the first shard."""
        return await open_catalog(region.catalog_dsn or _dsn(region, region.shards[0]), first_map)

    async def open_shard(self, ring: str, region: Region, shard: Shard) -> ShardStore:
        return await open_shard_store(_dsn(region, shard), Origin(region.name, shard.name), ring)


def _dsn(region: Region, shard: Shard) -> str:
    if shard.dsn is None:
        raise InvalidConfiguration(
            f"shard {region.name}/{shard.name} has no database: give its dsn, or start the ring with `atoll up`"
        )
    return shard.dsn
