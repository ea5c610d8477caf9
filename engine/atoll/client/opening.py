"""Opening the embedded door: the region's catalog and shards, and an engine on them, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

from atoll.client.embedded import EmbeddedDoor
from atoll.ids import RegionName
from atoll.keyspace.topology import Topology
from atoll.metrics import Metrics
from atoll.node.engine import Engine
from atoll.node.progress import RegionProgress
from atoll.ports import Clock, Entropy, Storage, Transport
from atoll.server.region import open_region


async def open_embedded(
    topology: Topology,
    region: RegionName,
    *,
    storage: Storage,
    transport: Transport,
    token_key: bytes,
    clock: Clock,
    entropy: Entropy,
    tokens: Sequence[str] = (),
) -> EmbeddedDoor:
    """Open ``region`` here. Closing the door closes all of it, the transport included.

    Raises :class:`~atoll.errors.InvalidConfiguration` for a region that is not in the ring,
    :class:`~atoll.errors.Unavailable` when its catalog does not answer, and :class:`~atoll.errors.InvalidToken`.
    """
    async with AsyncExitStack() as stack:
        stack.push_async_callback(transport.close)
        here = await stack.enter_async_context(
            open_region(topology, region, storage=storage, clock=clock, entropy=entropy)
        )
        engine = Engine(
            topology=topology,
            region=region,
            stores=here.stores,
            catalog=here.catalog,
            transport=transport,
            clock=clock,
            clock_keeper=here.clock_keeper,
            metrics=Metrics(),
            token_key=token_key,
            progress=RegionProgress(here.stores, clock),
        )
        await stack.enter_async_context(engine)
        engine.session(tokens)  # a token that is refused is refused here, while the stack still closes everything
        return EmbeddedDoor(engine, stack.pop_all().aclose, tokens)
