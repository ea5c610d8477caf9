"""ShardStore contract: batches are dense, complete, repeatable; tokens name batches that come to exist (I5, I9)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace

import pytest
from tests.contracts.conftest import OpenStore
from tests.contracts.records import (
    FRANKFURT,
    OREGON,
    TOKYO,
    Writer,
    capture_all,
    collected,
    pull,
    record_id,
    rows_of,
    visits,
)

from atoll.causality.cut import Cut
from atoll.errors import Unavailable
from atoll.ids import Origin, RecordId, ShardName, ZoneName
from atoll.keyspace.key_range import KeyRange
from atoll.keyspace.position import zone_range
from atoll.ports import Outcome, Rows, ShardStore

EU = zone_range(ZoneName("eu"))
US = zone_range(ZoneName("us"))


async def test_nothing_is_captured_from_an_idle_shard(store: ShardStore) -> None:
    assert await store.capture() is None
    assert await store.batches(0, 10) == []


async def test_one_empty_batch_follows_a_full_one(store: ShardStore) -> None:
    await Writer(store).increment(record_id(1), record_id(2))
    full, empty, nothing = [await store.capture() for _ in range(3)]
    assert full is not None
    assert empty is not None
    assert (full.number, full.records, empty.number, empty.records, empty.timestamp) == (1, 2, 2, 0, 0)
    assert nothing is None
    assert await store.capture() is None
    assert await store.batches(0, 10) == [full, empty]


async def test_batch_header_tells_the_records_and_the_greatest_timestamp(store: ShardStore) -> None:
    writer = Writer(store)
    for _ in range(3):
        await writer.increment(record_id(1), record_id(2))
    batch = await store.capture()
    assert batch is not None
    assert (batch.origin, batch.incarnation, batch.records, batch.timestamp) == (FRANKFURT, 1, 2, writer.counter)


async def test_batches_are_listed_above_a_number_up_to_a_limit(store: ShardStore) -> None:
    writer = Writer(store)
    for number in range(4):
        await writer.increment(record_id(number))
        await store.capture()
    assert [batch.number for batch in await store.batches(1, 2)] == [2, 3]
    assert [batch.number for batch in await store.batches(-5, 99)] == [1, 2, 3, 4]
    assert await store.batches(4, 99) == []


async def test_stale_and_fenced_rows_are_in_no_batch(store: ShardStore) -> None:
    rows = await Writer(store).prepare({record_id(1): visits()})
    await Writer(store).increment(record_id(1))
    await store.write(rows, Cut.EMPTY)
    await store.capture()
    assert len(await rows_of(store, 1)) == 1


async def test_rows_carry_the_change_and_what_it_was_made_on(store: ShardStore) -> None:
    writer = Writer(store)
    (first,) = await writer.prepare({record_id(1): visits()})
    await store.write([first], Cut.EMPTY)
    await store.capture()
    (second,) = await writer.prepare({record_id(1): visits()})
    await store.write([second], Cut.EMPTY)
    await store.capture()
    (one,), (two,) = await rows_of(store, 1), await rows_of(store, 2)
    assert (one.id, one.previous_context, one.context, one.state) == (first.id, b"", first.context, first.state)
    assert (two.previous_context, two.context, two.complete) == (first.context, second.context, True)


async def test_changes_of_one_record_collapse_to_the_last_state_on_the_first_context(store: ShardStore) -> None:
    writer = Writer(store)
    await writer.increment(record_id(1))
    await store.capture()
    before = (await rows_of(store, 1))[0].context
    for _ in range(4):
        await writer.increment(record_id(1), record_id(2))
    await store.capture()
    one, two = await rows_of(store, 2)
    assert (one.id, one.previous_context) == (record_id(1), before)
    assert (two.id, two.previous_context) == (record_id(2), b"")
    (held,) = (await store.read([record_id(1)])).records
    assert held is not None
    assert (one.context, one.state) == (held.context, held.state)


async def test_last_state_is_that_of_the_last_write_whatever_its_counter(store: ShardStore) -> None:
    """Nodes lease blocks of their own: counters alone do not tell which of two writes came last."""
    writer = Writer(store)
    (first,) = await writer.prepare({record_id(1): visits()})
    await store.write([first], Cut.EMPTY)
    second = replace(first, previous_context=first.context, context=b"later", state=b"last", counter=3)
    assert (await store.write([second], Cut.EMPTY)).outcomes == [Outcome.DONE]
    await store.capture()
    (last,) = await rows_of(store, 1)
    assert (last.previous_context, last.context, last.state) == (b"", b"later", b"last")


async def test_deleted_record_travels_without_a_document(store: ShardStore) -> None:
    writer = Writer(store)
    await writer.increment(record_id(1))
    await store.capture()
    await writer.delete(record_id(1))
    await store.capture()
    (before,), (after,) = await rows_of(store, 1), await rows_of(store, 2)
    assert before.document is not None
    assert after.document is None


async def test_rows_outside_the_allowed_ranges_stay(store: ShardStore) -> None:
    ids = [record_id(number, zone) for zone in ("eu", "us", "ap") for number in (1, 2)]
    await Writer(store).increment(*ids)
    await store.capture()

    async def found(*allowed: KeyRange) -> set[RecordId]:
        return {row.id for row in await rows_of(store, 1, allowed)}

    assert await found(EU) == {record_id(1, "eu"), record_id(2, "eu")}
    assert await found(EU, US) == {each for each in ids if not each.position.startswith(b"ap")}
    assert await found(KeyRange(record_id(2, "us").position, None)) == {record_id(2, "us")}
    assert await found() == set()


async def test_rows_of_a_batch_are_the_same_bytes_at_each_call(open_store: OpenStore, store: ShardStore) -> None:
    writer = Writer(store)
    await writer.increment(*(record_id(number) for number in range(20)))
    await store.capture()
    before = await collected(store.batch_rows(1, [EU]))
    await writer.increment(*(record_id(number) for number in range(20)))
    await store.capture()
    other = await open_store(beside=store)
    assert before == await collected(store.batch_rows(1, [EU])) == await collected(other.batch_rows(1, [EU]))
    assert before


async def test_batch_larger_than_a_frame_arrives_whole(store: ShardStore) -> None:
    writer = Writer(store)
    rows = await writer.prepare({record_id(number): visits() for number in range(4)})
    wide = [replace(row, state=bytes(300_000)) for row in rows]
    await store.write(wide, Cut.EMPTY)
    await store.capture()
    pieces = [piece async for piece in store.batch_rows(1, [EU])]
    assert len(pieces) > 1
    assert [len(row.state) for row in await rows_of(store, 1)] == [300_000] * 4


async def test_reader_of_rows_may_leave_early(store: ShardStore) -> None:
    await Writer(store).increment(*(record_id(number) for number in range(50)))
    await store.capture()
    for _ in range(12):
        pieces = store.batch_rows(1, [EU])
        assert await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]
    assert len(await rows_of(store, 1)) == 50


async def test_rows_of_a_batch_that_is_not_there_are_an_error_not_an_empty_answer(store: ShardStore) -> None:
    with pytest.raises(Unavailable, match="batch 7"):
        await collected(store.batch_rows(7, [EU]))


SIBLING = Origin(FRANKFURT.region, ShardName("s9"))


# -- dependencies -------------------------------------------------------------------------------------------------


async def test_batch_depends_on_what_was_applied_before_it(open_store: OpenStore, store: ShardStore) -> None:
    remote = await open_store(TOKYO)
    await Writer(remote).increment(record_id(1))
    last = await capture_all(remote)
    await pull(remote, store)
    await Writer(store).increment(record_id(1))
    batch = await store.capture()
    assert batch is not None
    assert batch.dependencies == Cut({TOKYO: last})


async def test_batch_depends_on_what_was_applied_in_part(store: ShardStore) -> None:
    await store.apply(Cut({TOKYO: 5}), Cut({TOKYO: 3}), Rows(b""))
    await Writer(store).increment(record_id(1))
    batch = await store.capture()
    assert batch is not None
    assert batch.dependencies == Cut({TOKYO: 5})


async def test_batch_depends_on_what_the_sessions_of_its_writes_had_seen(store: ShardStore) -> None:
    await store.apply(Cut({TOKYO: 9}), Cut({TOKYO: 9}), Rows(b""))
    seen = [Cut({OREGON: 4, TOKYO: 7}), Cut({OREGON: 2, TOKYO: 12, FRANKFURT: 40, SIBLING: 6})]
    for number, cut in enumerate(seen):
        await Writer(store, dependencies=cut).increment(record_id(number))
    batch, after = await store.capture(), await store.capture()
    assert batch is not None
    assert after is not None
    assert batch.dependencies == Cut({OREGON: 4, TOKYO: 12, SIBLING: 6})
    assert after.dependencies == Cut({OREGON: 4, TOKYO: 12})


async def test_reader_of_a_write_depends_on_what_its_session_had_seen_of_other_regions(store: ShardStore) -> None:
    await store.apply(Cut({TOKYO: 9}), Cut({TOKYO: 9}), Rows(b""))
    await Writer(store, dependencies=Cut({OREGON: 4, TOKYO: 12})).increment(record_id(1))
    progress = (await store.read([record_id(1)])).progress
    assert progress.seen().covers(Cut({OREGON: 4, TOKYO: 12}))
    assert progress.covered() == Cut({TOKYO: 9})


# -- progress and tokens ------------------------------------------------------------------------------------------


async def test_progress_is_pending_until_the_changes_are_captured(store: ShardStore) -> None:
    assert not (await store.progress()).pending
    result = await Writer(store).increment(record_id(1))
    assert result.progress.pending
    assert result.progress.captured == 0
    assert (await store.read([record_id(1)])).progress.pending
    await store.capture()
    progress = await store.progress()
    assert (progress.captured, progress.pending) == (1, False)


async def test_write_that_changed_nothing_is_not_pending(store: ShardStore) -> None:
    rows = await Writer(store).prepare({record_id(1): visits()})
    await Writer(store).increment(record_id(1))
    await store.capture()
    assert not (await store.write(rows, Cut.EMPTY)).progress.pending


async def test_write_is_in_a_batch_its_token_names_and_that_batch_comes_to_exist(
    open_store: OpenStore, store: ShardStore
) -> None:
    """Concurrent writers and two capturers: every write's batch is at most its token's number (see Progress.seen)."""
    stores = [store, await open_store(beside=store)]
    writers = [Writer(stores[number % 2]) for number in range(4)]
    promised: dict[RecordId, list[tuple[bytes, int]]] = defaultdict(list)

    async def keep_writing(number: int) -> None:
        for turn in range(15):
            (row,) = await writers[number].prepare({record_id(number * 100 + turn % 4): visits()})
            result = await writers[number].store.write([row], Cut.EMPTY)
            assert result.outcomes == [Outcome.DONE]
            promised[row.id].append((row.context, result.progress.seen().at(FRANKFURT)))

    async def keep_capturing(each: ShardStore) -> None:
        while not writing.done():
            await each.capture()
            await asyncio.sleep(0)

    writing = asyncio.gather(*map(keep_writing, range(4)))
    await asyncio.gather(writing, *map(keep_capturing, stores))
    last = await capture_all(store)
    shipped: dict[RecordId, list[tuple[int, bytes]]] = defaultdict(list)
    for number in range(1, last + 1):
        for row in await rows_of(store, number):
            shipped[row.id].append((number, row.context))
    assert shipped.keys() == promised.keys()
    for record, tokens in promised.items():
        contexts = [context for context, _ in tokens]
        carried = [(number, contexts.index(context)) for number, context in shipped[record]]
        assert [place for _, place in carried] == sorted({place for _, place in carried})
        assert carried[-1][1] == len(tokens) - 1
        for place, (_, promise) in enumerate(tokens):
            carrier = next(number for number, last_place in carried if last_place >= place)
            assert carrier <= promise <= last


async def test_reader_that_saw_a_change_holds_a_token_that_covers_it(store: ShardStore) -> None:
    writer = Writer(store)
    await writer.increment(record_id(1))
    read_before = (await store.read([record_id(1)])).progress.seen().at(FRANKFURT)
    first = await store.capture()
    assert first is not None
    read_after = (await store.read([record_id(1)])).progress.seen().at(FRANKFURT)
    last = await capture_all(store)
    assert first.number <= read_after <= read_before <= last


async def test_competing_capturers_put_each_change_in_exactly_one_batch(
    open_store: OpenStore, store: ShardStore
) -> None:
    other = await open_store(beside=store)
    writer = Writer(store)
    for number in range(20):
        await writer.increment(record_id(number))
        await asyncio.gather(store.capture(), other.capture(), store.capture())
    last = await capture_all(store)
    batches = await store.batches(0, 1_000)
    assert [batch.number for batch in batches] == list(range(1, last + 1))
    shipped = [row.id for number in range(1, last + 1) for row in await rows_of(store, number)]
    assert sorted(shipped) == [record_id(number) for number in range(20)]
