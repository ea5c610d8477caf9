"""Effects wait for their causes, and nobody else waits with them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

import pytest
from tests.contracts.records import contents, record_id, visits_of
from tests.fixtures.network import Network
from tests.fixtures.regions import (
    ALL,
    FRANKFURT,
    OREGON,
    TOKYO,
    RunningRegion,
    converged,
    eventually,
    eventually_async,
    memory_stores,
    region_on,
    running,
    topology_of,
)

from atoll.causality.cut import Cut
from atoll.errors import Unavailable
from atoll.ids import Origin, RecordId, RegionName, ShardName
from atoll.simulation.storage.memory_store import MemoryShardStore, Phase

S1, S2 = ShardName("s1"), ShardName("s2")
CAUSE, EFFECT, OTHER = (record_id(number << 56, "global") for number in (1, 40, 80))


def on_shards(region: RunningRegion, shard: ShardName) -> RecordId:
    """A record of that shard."""
    records = (record_id(number << 56, "global") for number in range(256))
    return next(record for record in records if region.shard_of(record) == shard)


async def has(region: RunningRegion, record: RecordId) -> bool:
    return record in await contents(region.stores[region.shard_of(record)])


async def test_effect_is_not_visible_before_its_cause_even_if_it_arrives_first() -> None:
    async with running(topology_of()) as (network, regions):
        frankfurt, oregon, tokyo = (regions[name] for name in ALL)
        network.cut(FRANKFURT, TOKYO)
        await frankfurt.increment(CAUSE)
        await eventually_async(lambda: has(oregon, CAUSE), "Oregon sees the cause")
        seen = (await oregon.stores[oregon.shard_of(CAUSE)].progress()).seen()
        await oregon.increment(EFFECT, seen=seen)
        await eventually(lambda: bool(tokyo.replication.blocked()), "Tokyo holds the effect")
        assert "waits for frankfurt/" in tokyo.replication.blocked()[0]
        assert not await has(tokyo, EFFECT)
        assert any("waits for frankfurt/" in status.problem for status in tokyo.replication.peer_statuses())
        network.heal(FRANKFURT, TOKYO)
        await converged(regions.values(), records=2)
        assert not tokyo.replication.blocked()


async def test_blocked_shard_does_not_stop_its_sibling_and_its_window_bounds_what_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Window of 40 kB, charged with 4 kB a batch and the rows."""
    window_bytes = 40 * 1024
    monkeypatch.setattr("atoll.node.replication.following.LINK_WINDOW_BYTES", window_bytes)
    monkeypatch.setattr("atoll.node.replication.intake.LINK_WINDOW_BYTES", window_bytes)
    async with running(topology_of((FRANKFURT, TOKYO))) as (_, regions):
        frankfurt, tokyo = regions[FRANKFURT], regions[TOKYO]
        blocked, free = on_shards(frankfurt, S1), on_shards(frankfurt, S2)
        never = Cut({Origin(FRANKFURT, S2): 1_000_000})
        await frankfurt.increment(blocked, seen=never)
        for _ in range(40):
            store = frankfurt.stores[S1]
            captured = (await store.progress()).captured
            await frankfurt.increment(blocked)

            async def moved(store=store, captured=captured) -> bool:  # type: ignore[no-untyped-def]
                return (await store.progress()).captured > captured

            await eventually_async(moved, "the write is captured in a batch of its own")
        for _ in range(5):
            await frankfurt.increment(free)
        await eventually_async(lambda: visits_are(tokyo, free, 5), "the sibling flows")
        held = tokyo.sample("atoll_inbox_batches", region=FRANKFURT, shard=S1)
        assert 1 <= held <= window_bytes / (4 * 1024) + 1
        sent = frankfurt.sample("atoll_unacknowledged_batches", region=TOKYO, shard=S1)
        assert held <= sent <= window_bytes / (4 * 1024) + 1
        assert not await has(tokyo, blocked)
        assert tokyo.replication.blocked()[0].endswith("waits for frankfurt/s2:1000000")


async def test_shard_that_does_not_answer_does_not_stop_the_other() -> None:
    topology, network = topology_of((FRANKFURT, TOKYO)), Network()
    down = True

    async def fail_applies(method: str, _phase: Phase) -> None:
        await asyncio.sleep(0)
        if method == "apply" and down:
            raise Unavailable("the shard is down")

    source = region_on(topology, FRANKFURT, await memory_stores(topology, FRANKFURT), network.transport(FRANKFURT))
    stores = await memory_stores(topology, TOKYO)
    stores[S2] = MemoryShardStore(Origin(TOKYO, S2), shard=stores[S2].shard, disturbance=fail_applies)
    target = region_on(topology, TOKYO, stores, network.transport(TOKYO))
    network.servers = {FRANKFURT: source.replication.serve_pull, TOKYO: target.replication.serve_pull}
    up, lost = on_shards(source, S1), on_shards(source, S2)
    try:
        for region in (source, target):
            await region.replication.start()
        for number in range(1, 6):
            seen = (await source.stores[S1].progress()).seen()
            await source.increment(lost, seen=Cut({Origin(FRANKFURT, S1): seen.at(Origin(FRANKFURT, S1)) - 1}))
            await source.increment(up)
            await eventually_async(partial(visits_are, target, up, number), "the other shard goes on")
        assert not await has(target, lost)
        assert target.replication.progress.region() == Cut.EMPTY
        assert "shard s2: the shard is down" in target.replication.peer_statuses()[0].problem
        down = False
        await converged([source, target], records=2)
        await eventually(
            lambda: target.replication.peer_statuses()[0].batches_behind == 0, "the region's cut follows"
        )
        assert target.replication.peer_statuses()[0].records_applied >= 2
    finally:
        await source.replication.stop()
        await target.replication.stop()


async def test_chain_across_regions_is_caught_up_in_few_transactions() -> None:
    """Each batch depends on the one before, of the other region; Tokyo was away while they were made."""
    topology, network = topology_of(), Network()
    applies, all_sent = 0, asyncio.Event()

    async def count(method: str, phase: Phase) -> None:
        nonlocal applies
        await asyncio.sleep(0)
        if method == "apply" and phase is Phase.BEFORE:
            applies += 1
            await all_sent.wait()

    regions = {
        name: region_on(topology, name, await memory_stores(topology, name), network.transport(name))
        for name in (FRANKFURT, OREGON)
    }
    tokyo = region_on(topology, TOKYO, await memory_stores(topology, TOKYO, count), network.transport(TOKYO))
    everybody = [*regions.values(), tokyo]
    network.servers = {region.name: region.replication.serve_pull for region in everybody}
    hops = 40
    try:
        for region in regions.values():
            await region.replication.start()
        for hop in range(1, hops + 1):
            await regions[FRANKFURT if hop % 2 else OREGON].increment(CAUSE)
            for region in regions.values():
                await eventually_async(partial(visits_are, region, CAUSE, hop), "the hop arrives")
        await tokyo.replication.start()
        await eventually_async(partial(sent_all, regions.values(), TOKYO), "everything has come to Tokyo")
        all_sent.set()
        await converged(everybody, records=1)
        assert applies <= 4, "each of two shards: what came first, and then all the rest"
    finally:
        for region in everybody:
            await region.replication.stop()


async def test_cut_of_a_region_is_the_least_of_its_shards() -> None:
    async with running(topology_of((FRANKFURT, TOKYO))) as (_, regions):
        await regions[FRANKFURT].increment(CAUSE, EFFECT, OTHER)
        await converged(regions.values(), records=3)
        progress = regions[TOKYO].replication.progress
        assert progress.region() == progress.shard(S1).meet(progress.shard(S2))
        for shard, store in regions[TOKYO].stores.items():
            assert (await store.progress()).applied.covers(progress.shard(shard))


async def test_node_that_restarts_goes_on_from_its_cut() -> None:
    topology = topology_of((FRANKFURT, TOKYO))
    async with running(topology) as (network, regions):
        tokyo = regions[TOKYO]
        await regions[FRANKFURT].increment(CAUSE, amount=5)
        await converged(regions.values(), records=1)
        await tokyo.replication.stop()
        await regions[FRANKFURT].increment(CAUSE, EFFECT)
        again = region_on(topology, TOKYO, tokyo.stores, network.transport(TOKYO))
        try:
            await again.replication.start()
            await converged([regions[FRANKFURT], again], records=2)
            assert await visits_of(again.stores[again.shard_of(CAUSE)], CAUSE) == 6
        finally:
            await again.replication.stop()


async def test_two_nodes_of_a_region_share_the_work_and_count_nothing_twice() -> None:
    topology = topology_of((FRANKFURT, TOKYO))
    async with running(topology) as (network, regions):
        second = region_on(topology, TOKYO, regions[TOKYO].stores, network.transport(TOKYO))
        try:
            await second.replication.start()
            for _ in range(10):
                await regions[FRANKFURT].increment(CAUSE, EFFECT, OTHER)
                await regions[TOKYO].increment(CAUSE)
                await second.increment(OTHER)
                network.drop(FRANKFURT, TOKYO)
            await converged(regions.values(), records=3)
            for record, expected in ((CAUSE, 20), (EFFECT, 10), (OTHER, 20)):
                assert await visits_of(second.stores[second.shard_of(record)], record) == expected
        finally:
            await second.replication.stop()


async def test_fresh_region_takes_everything_from_the_first_batch_on() -> None:
    """Nothing was collected, since the region is a member that had acknowledged nothing."""
    topology = topology_of()
    async with running(topology) as (network, regions):
        late = regions[TOKYO]
        await late.replication.stop()
        del network.servers[TOKYO]
        for _ in range(5):
            await regions[FRANKFURT].increment(CAUSE, EFFECT)
            await regions[OREGON].increment(OTHER)
        await converged([regions[FRANKFURT], regions[OREGON]], records=3)
        fresh = region_on(topology, TOKYO, await memory_stores(topology, TOKYO), network.transport(TOKYO))
        network.servers[TOKYO] = fresh.replication.serve_pull
        try:
            await fresh.replication.start()
            await converged([regions[FRANKFURT], fresh], records=3)
        finally:
            await fresh.replication.stop()


async def sent_all(regions: Iterable[RunningRegion], to: RegionName) -> bool:
    """Whether all captured batches are on the way to a region that has confirmed none of them."""
    for region in regions:
        for shard, store in region.stores.items():
            sent = region.sample("atoll_unacknowledged_batches", region=to, shard=shard)
            if sent != (await store.progress()).captured:
                return False
    return True


async def visits_are(region: RunningRegion, record: RecordId, expected: int) -> bool:
    return await visits_of(region.stores[region.shard_of(record)], record) == expected
