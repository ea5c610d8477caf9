"""Regions on memory shards, the node code as it runs in production, a network that can break."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial
from itertools import combinations

import pytest
from tests.contracts.records import contents, record_id, visits_of
from tests.fixtures.network import Network
from tests.fixtures.regions import (
    ALL,
    FRANKFURT,
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
from atoll.ids import RecordId, RegionName, ShardName
from atoll.replication.backoff import Backoff
from atoll.replication.messages import Acknowledgement, Hello
from atoll.simulation.storage.memory_store import MemoryShardStore, Phase
from atoll.system_entropy import SystemEntropy

BOTH = (FRANKFURT, TOKYO)
S1 = ShardName("s1")


async def test_a_write_in_one_region_becomes_visible_in_the_other() -> None:
    async with running(topology_of(BOTH)) as (_, regions):
        record = record_id(1, "global")
        await regions[FRANKFURT].increment(record, amount=3)
        await converged(regions.values(), records=1)
        store = regions[TOKYO].stores[regions[TOKYO].shard_of(record)]
        assert await visits_of(store, record) == 3


async def test_concurrent_increments_of_all_regions_are_all_counted() -> None:
    async with running(topology_of()) as (_, regions):
        records = [record_id(number << 56, "global") for number in range(0, 256, 16)]
        await asyncio.gather(*(region.increment(*records) for region in regions.values()))
        await converged(regions.values(), records=len(records))
        for region in regions.values():
            for record in records:
                assert await visits_of(region.stores[region.shard_of(record)], record) == 3


# -- partitions ---------------------------------------------------------------------------------------------------


async def test_both_sides_of_a_broken_link_go_on_writing_and_agree_after_it_heals() -> None:
    async with running(topology_of(BOTH)) as (network, regions):
        record = record_id(1, "global")
        await regions[FRANKFURT].increment(record)
        await converged(regions.values(), records=1)
        network.cut(FRANKFURT, TOKYO)
        await regions[FRANKFURT].increment(record, amount=10)
        await regions[TOKYO].increment(record, amount=100)
        await eventually(lambda: disconnected(regions[TOKYO], FRANKFURT), "the break is noticed")
        network.heal(FRANKFURT, TOKYO)
        await converged(regions.values(), records=1)
        store = regions[TOKYO].stores[regions[TOKYO].shard_of(record)]
        assert await visits_of(store, record) == 111


async def test_streams_that_break_again_and_again_count_nothing_twice_and_lose_nothing() -> None:
    async with running(topology_of(BOTH)) as (network, regions):
        records = [record_id(number << 56, "global") for number in range(0, 256, 32)]
        for _ in range(12):
            await regions[FRANKFURT].increment(*records)
            network.drop(FRANKFURT, TOKYO)
        await converged(regions.values(), records=len(records))
        for record in records:
            assert await visits_of(regions[TOKYO].stores[regions[TOKYO].shard_of(record)], record) == 12


async def test_three_regions_converge_through_random_partitions() -> None:
    chance = random.Random(20261120)
    async with running(topology_of()) as (network, regions):
        records = [record_id(number << 56, "global") for number in range(0, 256, 16)]
        written = dict.fromkeys(records, 0)
        for _ in range(40):
            one, other = chance.sample(ALL, 2)
            chance.choice([network.cut, network.drop, network.heal])(one, other)
            for record in chance.sample(records, 3):
                await regions[chance.choice(ALL)].increment(record)
                written[record] += 1
        for one, other in combinations(ALL, 2):
            network.heal(one, other)
        touched = [record for record, times in written.items() if times]
        await converged(regions.values(), records=len(touched))
        for record in touched:
            for region in regions.values():
                assert await visits_of(region.stores[region.shard_of(record)], record) == written[record]


# -- drills -------------------------------------------------------------------------------------------------------


async def test_drill_drops_streams_both_ways_and_healing_brings_them_back() -> None:
    async with running(topology_of(BOTH)) as (_, regions):
        frankfurt, tokyo = regions[FRANKFURT], regions[TOKYO]
        record = record_id(1, "global")
        await frankfurt.increment(record)
        await converged(regions.values(), records=1)
        frankfurt.drill.set([TOKYO])
        await eventually(
            lambda: disconnected(frankfurt, TOKYO) and disconnected(tokyo, FRANKFURT), "both ways are cut"
        )
        assert "drill" in frankfurt.replication.peer_statuses()[0].problem
        await tokyo.increment(record)
        await frankfurt.increment(record)
        with pytest.raises(Unavailable, match="a drill cuts this node off from tokyo"):
            await anext(aiter(frankfurt.replication.serve_pull(Hello(ring="ring", region=TOKYO), nobody())))
        frankfurt.drill.set([])
        await converged(regions.values(), records=1)
        assert await visits_of(frankfurt.stores[frankfurt.shard_of(record)], record) == 3


async def test_peer_that_dials_again_is_dialled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(topology_of(BOTH)) as (_, regions):
        frankfurt, tokyo = regions[FRANKFURT], regions[TOKYO]
        record = record_id(1, "global")
        await frankfurt.increment(record)
        await converged(regions.values(), records=1)
        frankfurt.drill.set([TOKYO])
        await eventually(lambda: "drill" in frankfurt.replication.peer_statuses()[0].problem, "Frankfurt waits")
        monkeypatch.setattr(Backoff, "ceiling_seconds", 3600.0)
        monkeypatch.setattr(SystemEntropy, "uniform", lambda self, low, high: high)
        dials = tokyo.sample("atoll_link_dials_total", region=FRANKFURT)
        await eventually(
            lambda: tokyo.sample("atoll_link_dials_total", region=FRANKFURT) > dials, "Tokyo dials in vain"
        )
        await frankfurt.increment(record)
        frankfurt.drill.set([])
        await converged(regions.values(), records=1)


# -- residency ----------------------------------------------------------------------------------------------------


async def test_value_of_a_zone_never_crosses_to_a_region_that_may_not_hold_it() -> None:
    topology = topology_of(BOTH, zones={"eu": [FRANKFURT]})
    async with running(topology) as (network, regions):
        secret, public = record_id(7_777, "eu", "secrets"), record_id(1, "global")
        await regions[FRANKFURT].increment(secret, public)
        await eventually_async(lambda: has(regions[TOKYO], public), "the public record arrives")
        await caught_up(regions[TOKYO], regions[FRANKFURT])
        assert await has(regions[FRANKFURT], secret)
        assert not await has(regions[TOKYO], secret)
        assert network.wire
        assert not any(b"secrets" in message or secret.position in message for message in network.wire)


async def test_receiver_refuses_a_forbidden_zone_before_it_stages_anything() -> None:
    """The sender lies: its configuration lets the receiver hold the zone, the receiver's own does not."""
    lying, honest = topology_of(BOTH, zones={"eu": [FRANKFURT, TOKYO]}), topology_of(BOTH, zones={"eu": [FRANKFURT]})
    network, staged = Network(), []

    async def watch(method: str, phase: Phase) -> None:
        if method == "apply":
            staged.append(method)

    liar = region_on(lying, FRANKFURT, await memory_stores(lying, FRANKFURT), network.transport(FRANKFURT))
    watched = await memory_stores(honest, TOKYO, watch)
    victim = region_on(honest, TOKYO, watched, network.transport(TOKYO))
    network.servers = {FRANKFURT: liar.replication.serve_pull, TOKYO: victim.replication.serve_pull}
    try:
        await liar.increment(*(record_id(number << 56, "eu", "secrets") for number in range(8)))
        for region in (liar, victim):
            await region.replication.start()
        refused = partial(victim.sample, "atoll_refused_rows_total", region=FRANKFURT, reason="residency")
        await eventually(lambda: refused() >= 3, "it is refused again and again")
        assert not staged
        assert not await victim.contents()
        assert victim.replication.progress.region() == Cut.EMPTY
        assert "zone 'eu', which tokyo may not hold" in victim.replication.peer_statuses()[0].problem
    finally:
        await liar.replication.stop()
        await victim.replication.stop()


# -- shards that are away -----------------------------------------------------------------------------------------


async def test_own_shard_that_is_down_does_not_stop_the_others_and_catches_up_when_it_returns() -> None:
    topology = topology_of(BOTH)
    network, down = Network(), True

    async def disturb(method: str, phase: Phase) -> None:
        if down and phase is Phase.BEFORE and method != "progress":
            raise Unavailable("shard s1 of tokyo is down")

    source = region_on(topology, FRANKFURT, await memory_stores(topology, FRANKFURT), network.transport(FRANKFURT))
    stores = await memory_stores(topology, TOKYO)
    stores[S1] = MemoryShardStore(stores[S1].identity.origin, shard=stores[S1].shard, disturbance=disturb)
    target = region_on(topology, TOKYO, stores, network.transport(TOKYO))
    network.servers = {FRANKFURT: source.replication.serve_pull, TOKYO: target.replication.serve_pull}
    try:
        for region in (source, target):
            await region.replication.start()
        records = [record_id(number << 56, "global") for number in range(0, 256, 16)]
        await source.increment(*records)
        healthy = [record for record in records if target.shard_of(record) != S1]
        for record in healthy:
            await eventually_async(partial(has, target, record), f"{record} arrives on the shard that is up")
        assert target.replication.progress.region() == Cut.EMPTY
        down = False
        await converged([source, target], records=len(records))
    finally:
        await source.replication.stop()
        await target.replication.stop()


async def test_sending_shard_that_fails_half_way_goes_on_at_the_same_frame() -> None:
    topology = topology_of(BOTH, shards=["s1"])
    network, failures = Network(), iter([True, False, True, True])

    async def disturb(method: str, phase: Phase) -> None:
        if method == "batch_rows" and next(failures, False):
            raise Unavailable("the shard went away while its rows were read")

    stores = await memory_stores(topology, FRANKFURT, disturb)
    source = region_on(topology, FRANKFURT, stores, network.transport(FRANKFURT))
    target = region_on(topology, TOKYO, await memory_stores(topology, TOKYO), network.transport(TOKYO))
    network.servers = {FRANKFURT: source.replication.serve_pull, TOKYO: target.replication.serve_pull}
    try:
        records = [record_id(number, "global") for number in range(3_000)]
        await source.increment(*records)
        for region in (source, target):
            await region.replication.start()
        await converged([source, target], records=len(records))
        assert next(failures, None) is None, "it did fail"
        assert target.sample("atoll_refused_rows_total", region=FRANKFURT, reason="corrupt") == 0
        assert network.dials <= 4
    finally:
        await source.replication.stop()
        await target.replication.stop()


# -- the end ------------------------------------------------------------------------------------------------------


async def test_stopping_leaves_no_task_behind_even_in_the_middle_of_traffic() -> None:
    before = asyncio.all_tasks()
    async with running(topology_of()) as (_, regions):
        await asyncio.gather(
            *(region.increment(*(record_id(n, "global") for n in range(50))) for region in regions.values())
        )
    assert asyncio.all_tasks() == before


async def test_peer_status_tells_lag_rows_and_connection() -> None:
    async with running(topology_of(BOTH)) as (_, regions):
        await regions[FRANKFURT].increment(record_id(1, "global"))
        await converged(regions.values(), records=1)
        await caught_up(regions[TOKYO], regions[FRANKFURT])
        (status,) = regions[TOKYO].replication.peer_statuses()
        assert (status.region, status.connected, status.problem) == (FRANKFURT, True, "")
        assert (status.records_applied, status.refused) == (1, 0)
        assert status.batches_behind == 0
        assert status.lag_p99_seconds > 0
        assert regions[TOKYO].sample("atoll_link_up", region=FRANKFURT) == 1


# -- helpers ------------------------------------------------------------------------------------------------------


def disconnected(region: RunningRegion, peer: RegionName) -> bool:
    return all(not status.connected for status in region.replication.peer_statuses() if status.region == peer)


async def has(region: RunningRegion, record: RecordId) -> bool:
    """Whether the record's own shard, or any shard if the region's map has none for it, holds the record."""
    assignment = region.shard_map.locate(record.position)
    stores = region.stores.values() if assignment is None else [region.stores[assignment.shard]]
    return any([record in await contents(store) for store in stores])


async def caught_up(region: RunningRegion, peer: RunningRegion) -> None:
    """Wait until the region has applied all that the peer has captured, the closing empty batches included."""

    async def covered() -> bool:
        progress = [await store.progress() for store in peer.stores.values()]
        captured = Cut((each.origin, each.captured) for each in progress)
        return not any(each.pending for each in progress) and region.replication.progress.region().covers(captured)

    await eventually_async(covered, f"{region.name} catches up with {peer.name}")


async def nobody() -> AsyncIterator[Acknowledgement]:
    """Acknowledgements that never come."""
    await asyncio.Event().wait()
    yield Acknowledgement(applied={})
