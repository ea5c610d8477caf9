"""A region's catalog on a server that fails: it lives with the first shard, and fails with it."""

from __future__ import annotations

from tests.contracts.records import FRANKFURT
from tests.unit.simulation.storage.site import Site, outcome

from atoll.errors import OutcomeUnknown, StaleRoute, Unavailable
from atoll.ids import ShardName, ZoneName
from atoll.instant import Timestamp
from atoll.keyspace.shard_map import ShardMap, initial_map
from atoll.keyspace.topology import Region, Shard
from atoll.ports import Catalog
from atoll.simulation.storage.memory_storage import MemoryStorage

FIRST = initial_map([ZoneName("global")], [ShardName("s1")])
SECOND = ShardMap(2, FIRST.assignments)
REGION = Region(name=FRANKFURT.region, shards=(Shard(name=FRANKFURT.shard, dsn=None),), nodes=())


async def opened(site: Site) -> Catalog:
    storage = MemoryStorage(site.loop, {FRANKFURT: site.database})
    return await storage.open_catalog(REGION, FIRST)


def test_catalog_is_unavailable_while_its_server_is_down_and_keeps_what_it_was_told() -> None:
    async def test(site: Site) -> None:
        catalog = await opened(site)
        await catalog.raise_clock_bound(Timestamp(7 << 16))
        assert await catalog.known_birth(FRANKFURT.shard, "first") == "first"
        await catalog.publish(SECOND)
        site.database.crash()
        assert await outcome(catalog.shard_map()) is Unavailable
        assert await outcome(catalog.raise_clock_bound(Timestamp(9 << 16))) is Unavailable
        assert await outcome(opened(site)) is Unavailable
        site.database.restart()
        again = await opened(site)
        assert (await again.shard_map()).version == 2
        assert await again.clock_bound() == 7 << 16
        assert await again.known_birth(FRANKFURT.shard, "second") == "first"

    Site().run(test)


def test_publication_in_flight_at_a_crash_is_unknown_and_may_be_in_force() -> None:
    async def test(site: Site) -> int:
        catalog = await opened(site)
        publication = site.start(outcome(catalog.publish(SECOND)))
        await site.sleep(0.008)
        site.database.crash()
        assert await publication is OutcomeUnknown
        site.database.restart()
        return (await catalog.shard_map()).version

    assert {Site(seed, flush_ms=10.0).run(test) for seed in range(10)} == {1, 2}


def test_of_two_publishers_at_once_one_is_stale() -> None:
    async def test(site: Site) -> None:
        catalogs = [await opened(site), await opened(site)]
        tasks = [site.start(outcome(catalog.publish(SECOND))) for catalog in catalogs]
        found = [await task for task in tasks]
        assert sorted(found, key=str) == [StaleRoute, None]

    Site().run(test)


def test_catalog_on_a_promoted_replica_answers_with_what_the_replica_has() -> None:
    """Nothing checks a catalog's history: production would not notice either."""

    async def test(site: Site) -> None:
        catalog = await opened(site)
        await catalog.raise_clock_bound(Timestamp(7 << 16))
        await site.sleep(1.0)
        await catalog.raise_clock_bound(Timestamp(9 << 16))
        site.database.fail_over(0.5)
        await site.sleep(0.01)
        assert await catalog.clock_bound() == 7 << 16
        site.database.fail_back()
        await site.sleep(0.01)
        assert await catalog.clock_bound() == 9 << 16

    Site().run(test)
