"""The parts of one node put together: an open region, its engine, its replication, its answers to operators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from atoll.ids import NodeName
from atoll.metrics import Metrics
from atoll.node.control import NodeControl
from atoll.node.drill import Drill
from atoll.node.drilled_transport import DrilledTransport
from atoll.node.engine import Engine
from atoll.node.replication.service import Replication
from atoll.node.shard_map_cache import ShardMapCache
from atoll.ports import Clock, Entropy, Transport
from atoll.server.region import OpenRegion


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParts:
    """What the servers of a node serve."""

    engine: Engine
    replication: Replication
    control: NodeControl


@asynccontextmanager
async def assembled(
    here: OpenRegion,
    node: NodeName,
    *,
    transport: Transport,
    drill: Drill,
    metrics: Metrics,
    token_key: bytes,
    clock: Clock,
    entropy: Entropy,
) -> AsyncIterator[NodeParts]:
    """Start the parts for the length of a block. At its end the engine stops first: what it has acknowledged is
    durable, and other nodes, or this one later, will replicate it."""
    shard_map = ShardMapCache(here.catalog, await here.catalog.shard_map())
    replication = Replication(
        topology=here.topology,
        region=here.region,
        stores=here.stores,
        transport=transport,
        clock=clock,
        entropy=entropy,
        timestamps=here.clock_keeper,
        shard_map=shard_map.newest,
        refresh_map=shard_map.refresh,
        metrics=metrics,
        drill=drill,
    )
    engine = Engine(
        topology=here.topology,
        region=here.region,
        stores=here.stores,
        catalog=here.catalog,
        transport=DrilledTransport(transport, drill),
        clock=clock,
        clock_keeper=here.clock_keeper,
        metrics=metrics,
        token_key=token_key,
        progress=replication.progress,
        on_commit=replication.hint,
    )
    control = NodeControl(
        topology=here.topology,
        region=here.region,
        node=node,
        stores=here.stores,
        shard_map=shard_map.newest,
        peers=replication.peer_statuses,
        merged=replication.records_merged,
        cut=replication.cut,
        drill=drill,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(replication.stop)
        await replication.start()
        await stack.enter_async_context(engine)
        yield NodeParts(engine=engine, replication=replication, control=control)
