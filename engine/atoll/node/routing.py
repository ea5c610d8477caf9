"""Routing: from an operation to its shard by the region's map, and a fresh map when a shard refused.

The map is a cache of what the shards themselves know. A refusal makes one reader of the catalog bring a newer map
for everybody who waits, at most once in ``MAP_REFRESH_SECONDS_MIN``.
"""

from __future__ import annotations

import asyncio

from atoll.errors import UnknownZone
from atoll.ids import RegionName, ShardName, ZoneName
from atoll.keyspace.router import Route, route
from atoll.keyspace.shard_map import ShardMap
from atoll.keyspace.topology import Topology
from atoll.limits import MAP_REFRESH_SECONDS_MIN
from atoll.ports import Catalog, Clock
from atoll.requests import Operation

COUNTRY_PREFIX = "country:"
"""A zone of this form is a country: ``country:DE`` or ``country:US-CA``. Names of zones hold no colon."""


class Router:
    """The region's map with the rules of the ring."""

    __slots__ = ("_catalog", "_clock", "_map", "_refreshed_at", "_refreshing", "_region", "_topology")

    def __init__(
        self, topology: Topology, region: RegionName, catalog: Catalog, clock: Clock, first: ShardMap
    ) -> None:
        self._topology = topology
        self._region = region
        self._catalog = catalog
        self._clock = clock
        self._map = first
        self._refreshed_at = clock.monotonic()
        self._refreshing: asyncio.Task[None] | None = None

    @property
    def map(self) -> ShardMap:
        """The newest map seen."""
        return self._map

    def route(self, operation: Operation) -> Route:
        """Where the operation goes. Raises ``UnknownCollection``, ``UnknownZone`` or ``InvalidKey``."""
        zone = operation.zone
        if zone is not None and zone.startswith(COUNTRY_PREFIX):
            zone = self._zone_of_country(zone)
        return route(self._topology, self._region, self._map, operation.collection, zone, operation.key)

    def still_says(self, shard: ShardName | None, position: bytes) -> bool:
        """Whether the newest map seen gives the position to ``shard``, which refused it (``None``: to no shard)."""
        found = self._map.locate(position)
        return (found.shard if found else None) == shard

    async def refresh(self) -> None:
        """Return once the map was read from the catalog after this call, or shortly before. Shared by all callers.

        Raises :class:`~atoll.errors.Unavailable` when the catalog does not answer.
        """
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())
        await asyncio.shield(self._refreshing)

    async def close(self) -> None:
        """Give up a refresh in flight."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)

    async def _refresh(self) -> None:
        wait_seconds = self._refreshed_at + MAP_REFRESH_SECONDS_MIN - self._clock.monotonic()
        if wait_seconds > 0:
            await self._clock.sleep(wait_seconds)
        self._refreshed_at = self._clock.monotonic()
        newest = await self._catalog.shard_map()
        if newest.version > self._map.version:
            self._map = newest

    def _zone_of_country(self, zone: str) -> ZoneName:
        code = zone.removeprefix(COUNTRY_PREFIX)
        if not code:
            raise UnknownZone("a country code is missing: write country:DE or country:US-CA")
        return self._topology.zone_of_country(code)
