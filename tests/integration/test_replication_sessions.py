"""What a session may read while the shards of its region are at different points of the same order (I4, I9)."""

from __future__ import annotations

import asyncio

from tests.fixtures.engines import HERE, S1, S2, THERE, InMemoryRegion, ask, get, put
from tests.fixtures.network import Network
from tests.fixtures.regions import RunningRegion, eventually_async, region_on

from atoll.errors import SessionNotCovered
from atoll.ids import Origin, ShardName, ZoneName
from atoll.keyspace.position import hashed_position
from atoll.node.engine import Engine
from atoll.requests import Consistency, Found, Request
from atoll.simulation.storage.memory_store import MemoryShardStore, Phase


def key_on(region: RunningRegion, shard: ShardName) -> str:
    """A key of the collection that lives anywhere, on that shard."""
    keys = (f"k{number}" for number in range(1_000))
    positions = ((key, hashed_position(ZoneName("global"), key)) for key in keys)
    return next(
        key
        for key, position in positions
        if (assignment := region.shard_map.locate(position)) is not None and assignment.shard == shard
    )


async def write_one_after_the_other(engine: Engine, region: RunningRegion, *keys: str) -> None:
    """One session's writes, in this order."""
    token = ""
    for key in keys:
        request = Request(
            operations=[put(key, {"motto": "new"})], tokens=[token] if token else [], deadline_seconds=5
        )
        token = (await engine.execute(request)).token
        for shard in region.stores:
            region.replication.hint(shard)


async def test_session_that_sees_the_effect_never_reads_the_old_cause_on_a_shard_that_lags() -> None:
    network, there, here = Network(), InMemoryRegion(THERE), InMemoryRegion(HERE)
    gate = asyncio.Event()

    async def hold_applies(method: str, phase: Phase) -> None:
        await asyncio.sleep(0)
        if method == "apply" and phase is Phase.BEFORE:
            await gate.wait()

    stores = {
        S1: here.memory[S1],
        S2: MemoryShardStore(Origin(HERE, S2), shard=here.memory[S2].shard, disturbance=hold_applies),
    }
    source = region_on(there.topology, THERE, there.memory, network.transport(THERE))
    target = region_on(here.topology, HERE, stores, network.transport(HERE))
    network.servers = {THERE: source.replication.serve_pull, HERE: target.replication.serve_pull}
    here.progress = target.replication.progress
    writer, _ = await there.engine()
    reader, _ = await here.engine()
    cause, effect = key_on(target, S2), key_on(target, S1)
    try:
        for region in (source, target):
            await region.replication.start()
        await write_one_after_the_other(writer, source, cause, effect)

        async def effect_is_here() -> bool:
            return (await ask(reader, get(effect), consistency=Consistency.EVENTUAL)) != [Found(None)]

        await eventually_async(effect_is_here, "the shard that goes on shows the effect")
        assert await ask(reader, get(cause), consistency=Consistency.EVENTUAL) == [Found(None)]
        session = (await reader.execute(Request(operations=[get(effect)], deadline_seconds=5))).token
        (refused,) = await ask(reader, get(cause), tokens=[session], seconds=0.2)
        assert isinstance(refused, SessionNotCovered)
        waiting = asyncio.create_task(ask(reader, get(cause), tokens=[session]))
        gate.set()
        (found,) = await waiting
        assert isinstance(found, Found)
        assert found.value == {"motto": "new"}
    finally:
        for region in (source, target):
            await region.replication.stop()
        for each in (there, here):
            await each.close()
