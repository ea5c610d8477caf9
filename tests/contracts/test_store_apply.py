"""ShardStore contract: joining remote rows is idempotent, in any order, under concurrent writes (I3, I4)."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.contracts.conftest import OpenStore
from tests.contracts.records import (
    OREGON,
    TOKYO,
    Writer,
    capture_all,
    collected,
    contents,
    increment_until_done,
    pull,
    record_id,
    rows_of,
    value_of,
    visits_of,
)

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame
from atoll.keyspace.key_range import EVERYTHING, KeyRange
from atoll.ports import ApplyResult, Ownership, Rows, ShardStore
from atoll.replication.rows import Row, encode_rows


def result(inserted: int = 0, overwritten: int = 0, merged: int = 0, unchanged: int = 0) -> ApplyResult:
    return ApplyResult(inserted=inserted, overwritten=overwritten, merged=merged, unchanged=unchanged)


@pytest.fixture
async def remote(open_store: OpenStore) -> ShardStore:
    """A shard of another region, the source of the rows."""
    return await open_store(TOKYO)


async def captured(remote: ShardStore) -> Rows:
    """The rows of the remote's next batch."""
    batch = await remote.capture()
    assert batch is not None
    return await collected(remote.batch_rows(batch.number, (EVERYTHING,)))


async def test_new_rows_are_inserted_and_rows_on_the_local_context_overwrite(
    store: ShardStore, remote: ShardStore
) -> None:
    writer = Writer(remote)
    await writer.increment(record_id(1), record_id(2))
    assert await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), await captured(remote)) == result(inserted=2)
    await writer.increment(record_id(2), record_id(3))
    assert await store.apply(Cut({TOKYO: 2}), Cut({TOKYO: 2}), await captured(remote)) == result(
        inserted=1, overwritten=1
    )
    assert await contents(store) == await contents(remote)


async def test_applying_again_changes_nothing(store: ShardStore, remote: ShardStore) -> None:
    await Writer(remote).increment(record_id(1), record_id(2))
    rows = await captured(remote)
    await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), rows)
    assert await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), rows) == result(unchanged=2)
    assert await contents(store) == await contents(remote)


async def test_older_chunk_after_a_newer_one_changes_nothing(store: ShardStore, remote: ShardStore) -> None:
    writer = Writer(remote)
    await writer.increment(record_id(1))
    old = await captured(remote)
    await writer.increment(record_id(1))
    new = await captured(remote)
    await store.apply(Cut({TOKYO: 2}), Cut({TOKYO: 2}), new)
    assert await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), old) == result(unchanged=1)
    assert (await store.progress()).applied == Cut({TOKYO: 2})
    assert await contents(store) == await contents(remote)


async def test_rows_changed_on_both_sides_are_merged(store: ShardStore, remote: ShardStore) -> None:
    await Writer(remote).increment(record_id(1), amount=5)
    await Writer(store).increment(record_id(1), amount=7)
    assert await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), await captured(remote)) == result(merged=1)
    assert await visits_of(store, record_id(1)) == 12


async def test_row_that_was_written_again_here_keeps_both(store: ShardStore, remote: ShardStore) -> None:
    await Writer(remote).increment(record_id(1))
    await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), await captured(remote))
    await Writer(store).increment(record_id(1), amount=10)
    await Writer(remote).increment(record_id(1), amount=100)
    assert await store.apply(Cut({TOKYO: 2}), Cut({TOKYO: 2}), await captured(remote)) == result(merged=1)
    assert await visits_of(store, record_id(1)) == 111


async def test_delete_overwrites_and_a_concurrent_update_survives_it(store: ShardStore, remote: ShardStore) -> None:
    await Writer(remote).increment(record_id(1), record_id(2))
    await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), await captured(remote))
    await Writer(remote).delete(record_id(1), record_id(2))
    await Writer(store).increment(record_id(2), amount=3)
    assert await store.apply(Cut({TOKYO: 2}), Cut({TOKYO: 2}), await captured(remote)) == result(
        overwritten=1, merged=1
    )
    assert await value_of(store, record_id(1)) is None
    assert await visits_of(store, record_id(2)) == 3
    assert (await store.statistics()).tombstones == 1


async def test_many_batches_in_one_chunk_collapse_where_they_chain(store: ShardStore, remote: ShardStore) -> None:
    writer = Writer(remote)
    rows = []
    for _ in range(4):
        await writer.increment(record_id(1), record_id(2))
        rows.append(await captured(remote))
    await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), rows[0])
    assert await store.apply(Cut({TOKYO: 4}), Cut({TOKYO: 4}), Rows(b"".join(rows[1:]))) == result(overwritten=2)
    assert await contents(store) == await contents(remote)


async def test_new_record_changed_several_times_in_one_chunk_is_inserted_once(
    store: ShardStore, remote: ShardStore
) -> None:
    writer = Writer(remote)
    rows = []
    for _ in range(3):
        await writer.increment(record_id(1))
        rows.append(await captured(remote))
    assert await store.apply(Cut({TOKYO: 3}), Cut({TOKYO: 3}), Rows(b"".join(rows))) == result(inserted=1)
    assert await contents(store) == await contents(remote)


@pytest.mark.parametrize("seed", range(4))
async def test_chunk_with_repeated_and_shuffled_rows_joins_to_the_same(
    store: ShardStore, remote: ShardStore, seed: int
) -> None:
    chooser = random.Random(seed)
    writer = Writer(remote)
    tuples: list[bytes] = []
    for turn in range(6):
        await writer.increment(record_id(turn % 3))
        tuples.append(await captured(remote))
    await Writer(store).increment(record_id(1), amount=50)
    chaos = [*tuples, *chooser.choices(tuples, k=4)]
    chooser.shuffle(chaos)
    await store.apply(Cut({TOKYO: 6}), Cut({TOKYO: 6}), Rows(b"".join(chaos)))
    assert [await visits_of(store, record_id(number)) for number in range(3)] == [2, 52, 2]
    assert await store.apply(Cut({TOKYO: 6}), Cut({TOKYO: 6}), Rows(b"".join(tuples))) == result(unchanged=3)


async def test_new_record_repeated_out_of_order_in_one_chunk_counts_as_inserted(
    store: ShardStore, remote: ShardStore
) -> None:
    writer = Writer(remote)
    await writer.increment(record_id(1))
    first = await captured(remote)
    await writer.increment(record_id(1))
    second = await captured(remote)
    assert await store.apply(Cut({TOKYO: 2}), Cut({TOKYO: 2}), Rows(second + first)) == result(inserted=1)
    assert await contents(store) == await contents(remote)


async def test_delta_is_joined_and_its_document_made_here(store: ShardStore, remote: ShardStore) -> None:
    await Writer(remote).increment(record_id(1), record_id(2))
    await captured(remote)
    rows = [row._replace(complete=False, document=None) for row in await rows_of(remote, 1)]
    await Writer(store).increment(record_id(1), amount=4)
    assert await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), Rows(encode_rows(rows))) == result(
        inserted=1, merged=1
    )
    assert [await visits_of(store, record_id(number)) for number in (1, 2)] == [5, 1]
    assert (await store.statistics()).records == 2
    assert await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), Rows(encode_rows(rows))) == result(unchanged=2)


async def test_row_on_a_context_that_is_missing_here_is_inserted(store: ShardStore, remote: ShardStore) -> None:
    writer = Writer(remote)
    await writer.increment(record_id(1))
    await captured(remote)
    await writer.increment(record_id(1))
    assert await store.apply(Cut({TOKYO: 2}), Cut({TOKYO: 2}), await captured(remote)) == result(inserted=1)
    assert await contents(store) == await contents(remote)
    await writer.increment(record_id(1))
    assert await store.apply(Cut({TOKYO: 3}), Cut({TOKYO: 3}), await captured(remote)) == result(overwritten=1)
    assert await contents(store) == await contents(remote)


async def test_applied_rows_are_not_captured_again(store: ShardStore, remote: ShardStore) -> None:
    await Writer(remote).increment(record_id(1))
    await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), await captured(remote))
    assert await store.capture() is None
    assert not (await store.progress()).pending


# -- the cut ------------------------------------------------------------------------------------------------------


async def test_cut_moves_with_and_without_rows_and_never_back(store: ShardStore) -> None:
    await store.apply(Cut({TOKYO: 3}), Cut({TOKYO: 2}), Rows(b""))
    progress = await store.progress()
    assert (progress.applied, progress.begun) == (Cut({TOKYO: 2}), Cut({TOKYO: 3}))
    await store.apply(Cut({TOKYO: 2}), Cut({TOKYO: 1}), Rows(b""))
    assert await store.progress() == progress
    await store.apply(Cut({TOKYO: 3}), Cut({TOKYO: 3}), Rows(b""))
    assert (await store.progress()).covered() == Cut({TOKYO: 3})


async def test_cuts_of_several_origins_move_with_one_chunk_entry_by_entry(
    store: ShardStore, remote: ShardStore
) -> None:
    await store.apply(Cut({OREGON: 6}), Cut({OREGON: 2}), Rows(b""))
    await Writer(remote).increment(record_id(1))
    await store.apply(Cut({TOKYO: 1, OREGON: 5}), Cut({OREGON: 4}), await captured(remote))
    progress = (await store.read([record_id(1)])).progress
    assert (progress.applied, progress.begun) == (Cut({OREGON: 4}), Cut({TOKYO: 1, OREGON: 6}))
    await store.apply(Cut({TOKYO: 1, OREGON: 7}), Cut({TOKYO: 1, OREGON: 7}), Rows(b""))
    assert (await store.progress()).applied == Cut({TOKYO: 1, OREGON: 7})


async def test_rows_of_one_record_from_several_origins_join_in_one_chunk(
    store: ShardStore, open_store: OpenStore, remote: ShardStore
) -> None:
    """Record 1 is changed in turn by both, each on the other's state; record 2 by both at once."""
    other = await open_store(OREGON)
    await Writer(remote).increment(record_id(1), record_id(2))
    first = await captured(remote)
    await Writer(other).increment(record_id(2), amount=10)
    at_once = await captured(other)
    await other.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), first)
    await Writer(other).increment(record_id(1), amount=100)
    in_turn = await captured(other)
    both = Cut({TOKYO: 1, OREGON: 2})
    assert await store.apply(both, both, Rows(first + at_once + in_turn)) == result(inserted=2)
    assert [await visits_of(store, record_id(number)) for number in (1, 2)] == [101, 11]
    assert await contents(store) == await contents(other)
    assert (await store.progress()).applied == both


async def test_begun_but_incomplete_batch_shows_in_what_a_reader_has_seen(
    store: ShardStore, remote: ShardStore
) -> None:
    await Writer(remote).increment(record_id(1))
    await store.apply(Cut({TOKYO: 1}), Cut.EMPTY, await captured(remote))
    progress = (await store.read([record_id(1)])).progress
    assert progress.covered() == Cut.EMPTY
    assert progress.seen() == Cut({TOKYO: 1})


async def test_concurrent_applies_of_one_origin_keep_the_greatest_cut(store: ShardStore, remote: ShardStore) -> None:
    writer = Writer(remote)
    chunks = []
    for number in range(6):
        await writer.increment(record_id(0), record_id(number))
        chunks.append(await captured(remote))
    await asyncio.gather(
        *(store.apply(Cut({TOKYO: n}), Cut({TOKYO: n}), rows) for n, rows in enumerate(reversed(chunks), 1))
    )
    assert (await store.progress()).applied == Cut({TOKYO: 6})
    assert await contents(store) == await contents(remote)


# -- refusals -----------------------------------------------------------------------------------------------------


async def test_chunk_with_a_row_that_is_not_owned_is_refused_whole(open_store: OpenStore, remote: ShardStore) -> None:
    store = await open_store(claims=False)
    await store.claim(Ownership(range=KeyRange(record_id(5).position, None), epoch=1))
    await Writer(remote).increment(*(record_id(number) for number in (3, 4, 5, 6)))
    answer = await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), await captured(remote))
    assert sorted(answer.fenced) == [record_id(3), record_id(4)]
    assert await contents(store) == {}
    assert (await store.progress()).begun == Cut.EMPTY


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows: rows[:-3],
        lambda rows: rows + b"\0\x08\0",
        lambda rows: b"\0\x07" + rows[2:],
        lambda rows: rows.replace(b"\0\0\0\x04city", b"\0\0\0\x04c\xfft\xfe"),
        lambda rows: rows + b"\xff\xff",
    ],
)
async def test_damaged_rows_are_refused_whole(store: ShardStore, remote: ShardStore, damage: object) -> None:
    assert callable(damage)
    await Writer(remote).increment(record_id(1), record_id(2))
    rows = await captured(remote)
    with pytest.raises(CorruptFrame):
        await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), damage(rows))
    assert await contents(store) == {}
    assert (await store.progress()).begun == Cut.EMPTY
    assert await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), rows) == result(inserted=2)


async def test_state_that_does_not_decode_is_refused_when_it_must_be_merged(
    store: ShardStore, remote: ShardStore
) -> None:
    await Writer(remote).increment(record_id(1), record_id(2))
    await captured(remote)
    good, bad = await rows_of(remote, 1)
    await Writer(store).increment(bad.id)
    before = await contents(store)
    with pytest.raises(CorruptFrame):
        await store.apply(
            Cut({TOKYO: 1}), Cut({TOKYO: 1}), Rows(encode_rows([good, bad._replace(state=b"\x01junk")]))
        )
    assert await contents(store) == before
    assert (await store.progress()).begun == Cut.EMPTY


# -- together -----------------------------------------------------------------------------------------------------


async def test_writes_and_applies_of_the_same_records_lose_nothing(store: ShardStore, remote: ShardStore) -> None:
    ids = [record_id(number) for number in range(3)]
    stores = (store, remote)

    async def keep_writing(each: ShardStore) -> None:
        writer = Writer(each)
        for turn in range(24):
            await increment_until_done(writer, ids[turn % 3])

    async def keep_pulling(source: ShardStore, target: ShardStore) -> None:
        while not writers.done():
            await source.capture()
            await pull(source, target, one_by_one=False)
            await asyncio.sleep(0)

    writers = asyncio.gather(*(keep_writing(each) for each in stores for _ in range(2)))
    await asyncio.gather(writers, keep_pulling(store, remote), keep_pulling(remote, store))
    for source, target in ((store, remote), (remote, store)):
        await capture_all(source)
        await pull(source, target)
    assert [await visits_of(store, each) for each in ids] == [32, 32, 32]
    assert await contents(store) == await contents(remote)


async def test_rows_of_many_sizes_arrive_unharmed(store: ShardStore, remote: ShardStore) -> None:
    rows = [
        Row(record_id(number), b"", b"context", bytes(size), None, True)
        for number, size in enumerate((0, 1, 2_000, 9_000, 70_000, 400_000))
    ]
    await store.apply(Cut({TOKYO: 1}), Cut({TOKYO: 1}), Rows(encode_rows(rows)))
    assert await contents(store) == {row.id: (row.context, row.state) for row in rows}
