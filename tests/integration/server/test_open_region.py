"""A region opens on what answers, claims what is its own once, and takes in a shard that comes late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from atoll.crdt.schema import Schema
from atoll.errors import InvalidConfiguration, Unavailable
from atoll.ids import GLOBAL_ZONE, CollectionName, NodeName, RegionName, ShardName
from atoll.keyspace.topology import Collection, Node, Region, Shard, Strategy, Topology, Zone
from atoll.postgres.launcher import Server, StopMode
from atoll.server.postgres_storage import PostgresStorage
from atoll.server.region import open_region
from atoll.system_clock import SystemClock
from atoll.system_entropy import SystemEntropy

OSLO = RegionName("oslo")
S1, S2 = ShardName("s1"), ShardName("s2")


def topology(first: str, second: str) -> Topology:
    node = Node(name=NodeName("n1"), grpc="127.0.0.1:1", http="127.0.0.1:2")
    return Topology(
        ring="test",
        regions={
            OSLO: Region(name=OSLO, nodes=[node], shards=[Shard(name=S1, dsn=first), Shard(name=S2, dsn=second)])
        },
        zones={GLOBAL_ZONE: Zone(name=GLOBAL_ZONE, home=OSLO, regions=[OSLO])},
        collections={
            CollectionName("notes"): Collection(name=CollectionName("notes"), schema=Schema(), strategy=Strategy.HASH)
        },
    )


def opened(ring: Topology):  # type: ignore[no-untyped-def]
    return open_region(ring, OSLO, storage=PostgresStorage(), clock=SystemClock(), entropy=SystemEntropy())


async def test_shards_own_the_whole_zone_between_them_after_racing_openings(
    fresh_database: Callable[[], str],
) -> None:
    ring = topology(fresh_database(), fresh_database())
    async with opened(ring) as one, opened(ring) as two:
        shard_map = await one.catalog.shard_map()
        assert shard_map == await two.catalog.shard_map()
        for name, store in one.stores.items():
            assert [row.range for row in await store.ownership()] == shard_map.ranges_of(name)
        assert one.problems() == {}


async def test_shard_that_is_down_is_taken_in_when_it_comes(
    fresh_database: Callable[[], str], crashable_server: Server
) -> None:
    dsn = await crashable_server.create_database("late")
    await crashable_server.stop(StopMode.IMMEDIATE)
    async with opened(topology(fresh_database(), dsn)) as region:
        assert "oslo/s2" in str(region.problems()[S2]) or region.problems()[S2]
        assert (await region.stores[S1].progress()).captured == 0
        with pytest.raises(Unavailable, match="is not open"):
            await region.stores[S2].progress()
        assert region.stores[S2].identity.incarnation == 0
        await crashable_server.start()
        async with asyncio.timeout(30):
            while not region.stores[S2].is_open:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert region.stores[S2].identity.actor == "oslo/s2/1"
        assert await region.stores[S2].ownership()


async def test_shard_that_was_lost_and_made_anew_is_refused_before_it_owns_anything(
    fresh_database: Callable[[], str],
) -> None:
    first, second, replacement = fresh_database(), fresh_database(), fresh_database()
    async with opened(topology(first, second)) as region:
        assert region.problems() == {}
    async with opened(topology(first, replacement)) as region:
        assert "another database than the one its region has known" in region.problems()[S2]
        with pytest.raises(Unavailable, match="mint dots a second time"):
            await region.stores[S2].lease_counters(1)
    connection = await asyncpg.connect(replacement)
    assert await connection.fetchval("select count(*) from atoll.ownership") == 0
    await connection.close()
    async with opened(topology(first, second)) as region:
        assert region.problems() == {}


async def test_catalog_that_is_down_keeps_the_region_closed(fresh_database: Callable[[], str]) -> None:
    with pytest.raises(Unavailable, match="catalog"):
        async with opened(topology("postgresql://me@127.0.0.1:1/x", fresh_database())):
            pass


async def test_unknown_region_is_told_with_those_that_exist(fresh_database: Callable[[], str]) -> None:
    with pytest.raises(InvalidConfiguration, match="oslo"):
        async with open_region(
            topology("a", "b"),
            RegionName("bergen"),
            storage=PostgresStorage(),
            clock=SystemClock(),
            entropy=SystemEntropy(),
        ):
            pass
