"""Regions on memory shards, the node code as it runs in production, a network that can break."""

from __future__ import annotations

import asyncio

from tests.contracts.records import record_id, visits_of
from tests.fixtures.regions import FRANKFURT, TOKYO, converged, running, topology_of

BOTH = (FRANKFURT, TOKYO)


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
