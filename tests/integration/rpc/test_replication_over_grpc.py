"""The same regions over real gRPC on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import pytest
from tests.contracts.records import record_id, visits_of
from tests.fixtures.ports import free_ports
from tests.fixtures.regions import (
    ALL,
    FRANKFURT,
    TOKYO,
    RunningRegion,
    converged,
    eventually,
    memory_stores,
    region_on,
    topology_of,
)

from atoll.errors import WrongRing
from atoll.ids import RegionName
from atoll.keyspace.topology import Topology
from atoll.ports import ControlSurface
from atoll.replication.messages import Hello
from atoll.requests import Reply, Request
from atoll.rpc.server import NodeServer
from atoll.rpc.transport import GrpcTransport
from atoll.simulation.storage.memory_store import MemoryShardStore


async def no_requests(request: Request) -> Reply:
    raise NotImplementedError


def server_of(region: RunningRegion) -> NodeServer:
    return NodeServer(
        execute=no_requests, serve_pull=region.replication.serve_pull, control=cast(ControlSurface, None)
    )


@asynccontextmanager
async def regions_over_grpc(topology: Topology) -> AsyncIterator[Mapping[RegionName, RunningRegion]]:
    async with AsyncExitStack() as stack:
        regions = {}
        for name, region in topology.regions.items():
            transport = GrpcTransport(topology)
            stack.push_async_callback(transport.close)
            stores = await memory_stores(topology, name)
            regions[name] = region_on(topology, name, stores, transport)
            server = server_of(regions[name])
            await server.start(region.nodes[0].grpc)
            stack.push_async_callback(server.stop)
        for each in regions.values():
            await each.replication.start()
            stack.push_async_callback(each.replication.stop)
        yield regions


def ring_of(*names: RegionName) -> Topology:
    return topology_of(names, ports=dict(zip(names, free_ports(len(names)), strict=True)))


async def test_three_regions_over_grpc_converge_to_the_same_bytes() -> None:
    async with regions_over_grpc(ring_of(*ALL)) as regions:
        records = [record_id(number << 56, "global") for number in range(0, 256, 32)]
        for region in regions.values():
            await region.increment(*records)
        await converged(regions.values(), records=len(records))
        for region in regions.values():
            assert await visits_of(region.stores[region.shard_of(records[0])], records[0]) == 3


async def test_log_is_collected_after_all_peers_have_made_it_durable() -> None:
    async with regions_over_grpc(ring_of(*ALL)) as regions:
        record = record_id(1, "global")
        home = regions[FRANKFURT]
        await home.increment(record)
        await converged(regions.values(), records=1)
        shard = home.stores[home.shard_of(record)]
        assert isinstance(shard, MemoryShardStore)
        await eventually(lambda: not shard.shard.log, "the change log is empty")


async def test_stranger_is_refused_with_the_typed_error() -> None:
    topology = ring_of(FRANKFURT, TOKYO)
    async with regions_over_grpc(topology):
        transport = GrpcTransport(topology)
        try:
            with pytest.raises(WrongRing, match="ring 'ring', not 'other'"):
                await transport.pull(TOKYO, Hello(ring="other", region=FRANKFURT))
        finally:
            await transport.close()
