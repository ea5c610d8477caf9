"""What every :class:`~atoll.ports.Catalog` keeps: one suite over the real one, a simulated one and one in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from tests.contracts.bridge import Bridge
from tests.contracts.records import FRANKFURT

from atoll.errors import StaleRoute, Unavailable
from atoll.ids import ShardName, ZoneName
from atoll.instant import Timestamp
from atoll.keyspace.shard_map import ShardMap, initial_map
from atoll.ports import Catalog
from atoll.postgres.catalog import open_catalog
from atoll.simulation.storage.memory_catalog import MemoryCatalog

FIRST = initial_map([ZoneName("europe"), ZoneName("global")], [ShardName("s1"), ShardName("s2")])


def following(shard_map: ShardMap) -> ShardMap:
    return ShardMap(shard_map.version + 1, shard_map.assignments[1:])


Open = Callable[[], Awaitable[Any]]


@pytest.fixture(params=["memory", "simulated", "postgres"])
def opening(request: pytest.FixtureRequest) -> Open:
    """Opens a fresh catalog; synchronous, since servers start outside of event loops."""

    async def in_memory() -> Catalog:
        return MemoryCatalog(FIRST)

    if request.param == "memory":
        return in_memory
    if request.param == "simulated":
        bridge: Bridge = request.getfixturevalue("bridge")
        return partial(bridge.server(FRANKFURT).open_catalog, "frankfurt/n1", FIRST)
    make: Callable[[], str] = request.getfixturevalue("fresh_database")
    return partial(open_catalog, make(), FIRST)


@pytest.fixture
async def catalog(opening: Open) -> AsyncIterator[Catalog]:
    opened: Catalog = await opening()
    yield opened
    await opened.close()


async def test_first_map_is_in_force(catalog: Catalog) -> None:
    assert await catalog.shard_map() == FIRST


async def test_published_map_is_in_force(catalog: Catalog) -> None:
    second = following(FIRST)
    await catalog.publish(second)
    assert await catalog.shard_map() == second
    await catalog.publish(following(second))
    assert (await catalog.shard_map()).version == 3


@pytest.mark.parametrize("version", [1, 3, 9])
async def test_map_that_does_not_follow_the_newest_is_refused_and_changes_nothing(
    catalog: Catalog, version: int
) -> None:
    with pytest.raises(StaleRoute):
        await catalog.publish(ShardMap(version, FIRST.assignments[1:]))
    assert await catalog.shard_map() == FIRST


async def test_one_of_many_publishers_of_a_version_wins(catalog: Catalog) -> None:
    maps = [ShardMap(2, FIRST.assignments[number:]) for number in range(6)]
    outcomes = await asyncio.gather(*(catalog.publish(each) for each in maps), return_exceptions=True)
    winners = [each for each, outcome in zip(maps, outcomes, strict=True) if outcome is None]
    assert [type(outcome) for outcome in outcomes].count(StaleRoute) == 5
    assert [await catalog.shard_map()] == winners


async def test_clock_bound_begins_at_zero(catalog: Catalog) -> None:
    assert await catalog.clock_bound() == 0


async def test_clock_bound_rises_and_never_falls(catalog: Catalog) -> None:
    await catalog.raise_clock_bound(Timestamp(7 << 16))
    assert await catalog.clock_bound() == 7 << 16
    await catalog.raise_clock_bound(Timestamp(3 << 16))
    assert await catalog.clock_bound() == 7 << 16
    await catalog.raise_clock_bound(Timestamp(9 << 16))
    assert await catalog.clock_bound() == 9 << 16


async def test_many_raisers_leave_the_highest_bound(catalog: Catalog) -> None:
    await asyncio.gather(*(catalog.raise_clock_bound(Timestamp(bound)) for bound in (5, 1, 9, 3, 9, 2)))
    assert await catalog.clock_bound() == 9


async def test_closed_catalog_is_unavailable_and_may_be_closed_again(catalog: Catalog) -> None:
    await catalog.close()
    await catalog.close()
    with pytest.raises(Unavailable):
        await catalog.shard_map()


async def test_first_birth_of_a_shard_is_the_one_that_is_known(catalog: Catalog) -> None:
    s1, s2 = ShardName("s1"), ShardName("s2")
    assert await catalog.known_birth(s1, "first") == "first"
    assert await catalog.known_birth(s1, "second") == "first"
    assert await catalog.known_birth(s2, "second") == "second"


async def test_births_noted_at_once_are_one(catalog: Catalog) -> None:
    known = await asyncio.gather(*(catalog.known_birth(ShardName("s1"), str(number)) for number in range(8)))
    assert len(set(known)) == 1
