"""ShardStore contract: acknowledgements, retention, scans, figures."""

from __future__ import annotations

import asyncio

import pytest
from tests.contracts.conftest import OpenStore
from tests.contracts.records import (
    CITY,
    OREGON,
    TOKYO,
    Writer,
    capture_all,
    collected,
    contents,
    record_id,
    rows_of,
)

from atoll.causality.cut import Cut
from atoll.errors import Unavailable
from atoll.ids import CollectionName, RegionName, ZoneName
from atoll.keyspace.key_range import EVERYTHING, KeyRange
from atoll.keyspace.position import zone_range
from atoll.limits import SHARD_SCAN_ROWS
from atoll.ports import Rows, ShardStore
from atoll.replication.rows import Row, encode_rows

OREGON_REGION, TOKYO_REGION = OREGON.region, TOKYO.region


async def batches_of(store: ShardStore) -> list[int]:
    return [batch.number for batch in await store.batches(0, 1_000)]


async def write_batches(store: ShardStore, count: int) -> None:
    """``count`` batches of one record each."""
    writer = Writer(store)
    for number in range(count):
        await writer.increment(record_id(number))
        await store.capture()


async def test_acknowledgements_are_kept_and_never_go_back(open_store: OpenStore, store: ShardStore) -> None:
    assert await store.acknowledged() == {}
    await store.acknowledge(TOKYO_REGION, 4)
    await store.acknowledge(TOKYO_REGION, 2)
    await store.acknowledge(OREGON_REGION, 1)
    other = await open_store(beside=store)
    assert await other.acknowledged() == {TOKYO_REGION: 4, OREGON_REGION: 1}


async def test_only_what_every_member_acknowledged_is_collected(store: ShardStore) -> None:
    await write_batches(store, 5)
    await store.acknowledge(TOKYO_REGION, 4)
    assert await store.collect([TOKYO_REGION, OREGON_REGION]) == 0
    await store.acknowledge(OREGON_REGION, 3)
    assert await store.collect([TOKYO_REGION, OREGON_REGION]) == 3
    assert [row.id for row in await rows_of(store, 4)] == [record_id(3)]
    assert [row.id for row in await rows_of(store, 5)] == [record_id(4)]
    assert min(await batches_of(store)) <= 4
    assert await store.collect([TOKYO_REGION, OREGON_REGION]) == 0


async def test_collected_batch_is_an_error_not_an_empty_answer(store: ShardStore) -> None:
    await write_batches(store, 3)
    await store.acknowledge(TOKYO_REGION, 3)
    await store.collect([TOKYO_REGION])
    with pytest.raises(Unavailable, match="batch 2"):
        await collected(store.batch_rows(2, [EVERYTHING]))


async def test_capture_goes_on_after_a_collection(store: ShardStore) -> None:
    writer = Writer(store)
    await writer.increment(record_id(1))
    last = await capture_all(store)
    assert await store.collect([]) == 1
    await writer.increment(record_id(1), record_id(2))
    batch = await store.capture()
    assert batch is not None
    assert batch.number == last + 1
    assert {row.id for row in await rows_of(store, batch.number)} == {record_id(1), record_id(2)}


async def test_collection_before_the_empty_batch_keeps_it_coming(
    store: ShardStore,
) -> None:
    await Writer(store).increment(record_id(1))
    await store.capture()
    await store.collect([])
    empty = await store.capture()
    assert empty is not None
    assert (empty.number, empty.records) == (2, 0)
    assert await store.capture() is None


async def test_changes_that_are_not_captured_are_never_collected(store: ShardStore) -> None:
    await Writer(store).increment(record_id(1))
    await store.acknowledge(TOKYO_REGION, 99)
    assert await store.collect([TOKYO_REGION]) == 0
    assert await store.collect([]) == 0
    await store.capture()
    assert [row.id for row in await rows_of(store, 1)] == [record_id(1)]


async def test_member_that_never_acknowledged_holds_everything(store: ShardStore) -> None:
    await write_batches(store, 2)
    assert await store.collect([RegionName("sydney")]) == 0
    assert len(await rows_of(store, 1)) == 1


async def test_collection_leaves_records_and_cuts_alone(store: ShardStore) -> None:
    await store.apply(Cut({TOKYO: 4}), Cut({TOKYO: 4}), Rows(b""))
    await write_batches(store, 3)
    before = await contents(store)
    await capture_all(store)
    await store.collect([])
    assert await contents(store) == before
    assert (await store.progress()).applied == Cut({TOKYO: 4})


async def test_writers_and_collectors_at_once_lose_no_change(open_store: OpenStore, store: ShardStore) -> None:
    other = await open_store(beside=store)
    shipped: set[object] = set()

    async def keep_writing(start: int) -> None:
        writer = Writer(store)
        for number in range(start, start + 20):
            await writer.increment(record_id(number))

    async def keep_shipping() -> None:
        done = 0
        while not writers.done() or done < (await store.progress()).captured or (await store.progress()).pending:
            await other.capture()
            for batch in await other.batches(done, 10):
                shipped.update(row.id for row in await rows_of(other, batch.number))
                done = batch.number
            await other.acknowledge(TOKYO_REGION, done)
            await other.collect([TOKYO_REGION])

    writers = asyncio.gather(*(keep_writing(start) for start in (0, 100, 200)))
    await asyncio.gather(writers, keep_shipping())
    assert shipped == {record_id(start + number) for start in (0, 100, 200) for number in range(20)}


# -- scans --------------------------------------------------------------------------------------------------------


async def test_scan_goes_in_the_order_of_the_ids_with_tombstones(store: ShardStore) -> None:
    ids = [
        record_id(number, zone, collection)
        for number in (2, 1, 300)
        for zone in ("us", "eu")
        for collection in ("city", "Über", "a")
    ]
    await Writer(store).increment(*ids)
    await Writer(store).delete(ids[0])
    assert list(await contents(store)) == sorted(ids)


async def test_scan_is_bounded_by_range_and_collection(store: ShardStore) -> None:
    ids = [record_id(number, zone, name) for number in range(4) for zone in ("eu", "us") for name in ("city", "port")]
    await Writer(store).increment(*ids)

    async def found(within: KeyRange, collection: CollectionName | None = None) -> set[object]:
        return {each async for chunk in store.scan(within, collection) for each, _ in chunk}

    europe = zone_range(ZoneName("eu"))
    assert await found(europe) == {each for each in ids if each.position in europe}
    assert await found(EVERYTHING, CITY) == {each for each in ids if each.collection == CITY}
    part = KeyRange(record_id(1).position, record_id(3).position)
    assert await found(part, CITY) == {record_id(1), record_id(2)}


async def test_scan_shows_one_snapshot_in_chunks(store: ShardStore) -> None:
    rows = [Row(record_id(number), b"", b"context", b"state", None, True) for number in range(SHARD_SCAN_ROWS + 5)]
    await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), Rows(encode_rows(rows)))
    scan = store.scan(EVERYTHING)
    first = await anext(scan)
    more = [row._replace(id=record_id(row_number)) for row_number, row in enumerate(rows, 10_000)]
    await store.apply(Cut({TOKYO: 2}), Cut({TOKYO: 2}), Rows(encode_rows(more)))
    rest = [each async for chunk in scan for each, _ in chunk]
    assert len(first) == SHARD_SCAN_ROWS
    assert rest == [record_id(number) for number in range(SHARD_SCAN_ROWS, SHARD_SCAN_ROWS + 5)]


async def test_statistics_count_live_records_and_tombstones(store: ShardStore) -> None:
    writer = Writer(store)
    await writer.increment(record_id(1), record_id(2), record_id(3))
    await writer.delete(record_id(2))
    await store.capture()
    figures = await store.statistics()
    assert (figures.records, figures.tombstones, figures.captured) == (2, 1, 1)
    assert figures.log_rows >= 0
    assert figures.log_bytes > 0
