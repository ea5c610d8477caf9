"""One region opened from its configuration: its catalog, its shards, its clock. For nodes and embedded clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from atoll.errors import InvalidConfiguration, OutcomeUnknown, Unavailable
from atoll.ids import Origin, RegionName, ShardName
from atoll.keyspace.shard_map import ShardMap, initial_map
from atoll.keyspace.topology import Region, Shard, Topology
from atoll.node.clock_keeper import ClockKeeper
from atoll.node.restarting import RestartingTasks
from atoll.ports import Catalog, Clock, Entropy, ShardStore, Storage
from atoll.replication.backoff import Backoff
from atoll.server.births import check_birth
from atoll.server.claiming import claim_first_ranges
from atoll.server.late_store import LateShardStore


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRegion:
    """What an engine is built from. Everything is closed by the block of :func:`open_region`."""

    topology: Topology
    region: RegionName
    catalog: Catalog
    clock_keeper: ClockKeeper
    stores: Mapping[ShardName, LateShardStore]
    """All shards of the configuration; those that do not answer are tried in the background."""

    def problems(self) -> Mapping[ShardName, str]:
        """The shards that are not open, and why."""
        return {name: store.problem for name, store in self.stores.items() if not store.is_open}


@asynccontextmanager
async def open_region(
    topology: Topology, region: RegionName, *, storage: Storage, clock: Clock, entropy: Entropy
) -> AsyncIterator[OpenRegion]:
    """Open a region for the length of a block.

    The catalog must answer: without it the clock may not start (promise I14), so :class:`~atoll.errors.Unavailable`
    is raised. Its first map is published and the shards' first ranges are claimed if nobody has done so; any number
    of processes may race. A shard that does not answer is opened as soon as it does.
    """
    here = region_of(topology, region)
    first = initial_map([zone.name for zone in topology.hosted_zones(region)], [shard.name for shard in here.shards])
    async with AsyncExitStack() as stack:
        catalog = await storage.open_catalog(here, first)
        stack.push_async_callback(catalog.close)
        shard_map = await catalog.shard_map()
        clock_keeper = await ClockKeeper.open(clock, catalog)
        stack.push_async_callback(clock_keeper.close)
        stores = {shard.name: _store(topology, here, shard, shard_map, catalog, storage) for shard in here.shards}
        for store in stores.values():
            stack.push_async_callback(store.close)
        late = RestartingTasks(clock, entropy)
        stack.push_async_callback(late.stop)
        await asyncio.gather(*(store.try_open() for store in stores.values()))
        for name, store in stores.items():
            if not store.is_open:
                late.start(f"open {name}", partial(store.open_at_last, clock, entropy))
        yield OpenRegion(topology=topology, region=region, catalog=catalog, clock_keeper=clock_keeper, stores=stores)


def region_of(topology: Topology, name: RegionName) -> Region:
    """The region, or :class:`InvalidConfiguration` naming those that exist."""
    found = topology.regions.get(name)
    if found is None:
        raise InvalidConfiguration(f"no region {name!r} in ring {topology.ring!r}: {', '.join(topology.regions)}")
    return found


def _store(
    topology: Topology, region: Region, shard: Shard, shard_map: ShardMap, catalog: Catalog, storage: Storage
) -> LateShardStore:
    async def opening() -> ShardStore:
        store = await storage.open_shard(topology.ring, region, shard)
        try:
            await check_birth(store, catalog)
            await claim_first_ranges(store, shard.name, shard_map)
        except BaseException:
            await store.close()
            raise
        return store

    return LateShardStore(Origin(region.name, shard.name), opening)


@asynccontextmanager
async def region_at_last(
    topology: Topology,
    region: RegionName,
    *,
    storage: Storage,
    clock: Clock,
    entropy: Entropy,
    on_problem: Callable[[str], None],
) -> AsyncIterator[OpenRegion]:
    """:func:`open_region`, tried until the catalog answers; ``on_problem`` is told why it waits, each time."""
    backoff = Backoff()
    while True:
        opening = open_region(topology, region, storage=storage, clock=clock, entropy=entropy)
        try:
            here = await opening.__aenter__()
            break
        except (Unavailable, OutcomeUnknown) as error:
            on_problem(error.message)
        await clock.sleep(entropy.uniform(0, backoff.ceiling_seconds))
        backoff = backoff.failed()
    try:
        yield here
    finally:
        await opening.__aexit__(None, None, None)
