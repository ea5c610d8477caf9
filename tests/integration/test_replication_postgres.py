"""Two regions on real Postgres, over real gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
from tests.contracts.records import Writer, record_id, visits_of
from tests.fixtures.ports import free_ports
from tests.fixtures.regions import (
    FRANKFURT,
    TOKYO,
    RunningRegion,
    converged,
    eventually_async,
    region_on,
    topology_of,
)

from atoll.ids import Origin, RegionName
from atoll.postgres.shard_store import open_shard_store
from atoll.rpc.server import NodeServer
from atoll.rpc.transport import GrpcTransport
from atoll.server.claiming import claim_first_ranges

Regions = Mapping[RegionName, RunningRegion]
BOTH = (FRANKFURT, TOKYO)


@pytest.fixture
async def regions(fresh_database: Callable[[], str]) -> AsyncIterator[Regions]:
    topology = topology_of(BOTH, zones={"eu": [FRANKFURT]}, ports=dict(zip(BOTH, free_ports(len(BOTH)), strict=True)))
    async with AsyncExitStack() as stack:
        opened: dict[RegionName, RunningRegion] = {}
        for name, region in topology.regions.items():
            stores = {}
            for shard in region.shards:
                dsn = await asyncio.to_thread(fresh_database)
                stores[shard.name] = await open_shard_store(dsn, Origin(name, shard.name), topology.ring)
                stack.push_async_callback(stores[shard.name].close)
            transport = GrpcTransport(topology)
            stack.push_async_callback(transport.close)
            opened[name] = region_on(topology, name, stores, transport)
            for shard, store in stores.items():
                await claim_first_ranges(store, shard, opened[name].shard_map)
            serve = opened[name].replication.serve_pull
            server = NodeServer(execute=cast(Any, None), serve_pull=serve, control=cast(Any, None))
            await server.start(region.nodes[0].grpc)
            stack.push_async_callback(server.stop)
        for each in opened.values():
            await each.replication.start()
            stack.push_async_callback(each.replication.stop)
        yield opened


async def test_concurrent_writes_of_two_regions_converge_to_the_same_bytes(regions: Regions) -> None:
    records = [record_id(number << 56, "global") for number in range(0, 256, 8)]
    for _ in range(3):
        await asyncio.gather(*(region.increment(*records) for region in regions.values()))
    await converged(regions.values(), records=len(records))
    for region in regions.values():
        for record in records:
            assert await visits_of(region.stores[region.shard_of(record)], record) == 6


async def test_many_records_written_at_once_arrive_with_all_their_bytes(regions: Regions) -> None:
    records = [record_id((number << 55) + number, "global") for number in range(400)]
    frankfurt = regions[FRANKFURT]
    for shard, store in frankfurt.stores.items():
        await Writer(store).increment(*(record for record in records if frankfurt.shard_of(record) == shard))
    await converged(regions.values(), records=len(records))


async def test_restricted_zone_stays_at_home_while_the_cut_goes_on(regions: Regions) -> None:
    frankfurt, tokyo = regions[FRANKFURT], regions[TOKYO]
    await frankfurt.increment(*(record_id(number << 56, "eu") for number in range(0, 256, 16)))

    async def caught_up() -> bool:
        captured = {name: (await store.progress()).captured for name, store in frankfurt.stores.items()}
        cut = tokyo.replication.progress.region()
        return all(n > 0 and cut.at(Origin(FRANKFURT, name)) >= n for name, n in captured.items())

    await eventually_async(caught_up, "the cuts go on")
    assert not await tokyo.contents()


async def test_log_is_collected_after_the_peer_has_made_it_durable(regions: Regions) -> None:
    frankfurt = regions[FRANKFURT]
    await frankfurt.increment(*(record_id(number << 56, "global") for number in range(0, 256, 16)))

    async def collected() -> bool:
        return all([(await store.statistics()).log_rows == 0 for store in frankfurt.stores.values()])

    await converged(regions.values(), records=16)
    await eventually_async(collected, "the change logs are empty")
