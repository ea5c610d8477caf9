"""ShardStore contract: reading, writing, leasing counters, and the fence of ownership."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.contracts.conftest import OpenStore
from tests.contracts.records import (
    FRANKFURT,
    Writer,
    contents,
    increment_until_done,
    record_id,
    rows_of,
    value_of,
    visits,
    visits_of,
)

from atoll.causality.cut import Cut
from atoll.errors import InvalidValue, StaleRoute, Unavailable
from atoll.keyspace.key_range import EVERYTHING, KeyRange
from atoll.ports import CounterBlock, Outcome, Ownership, ShardStore

DONE, STALE, FENCED = Outcome.DONE, Outcome.STALE, Outcome.FENCED


async def test_identity_names_the_shard_and_its_actor(store: ShardStore) -> None:
    assert store.identity.origin == FRANKFURT
    assert store.identity.actor == "frankfurt/s1/1"


async def test_unknown_record_reads_as_none(store: ShardStore) -> None:
    result = await store.read([record_id(1)])
    assert (result.outcomes, result.records) == ([DONE], [None])


async def test_empty_read_and_empty_write_still_answer_with_the_progress(store: ShardStore) -> None:
    assert (await store.read([])).progress == (await store.write([], Cut.EMPTY)).progress == await store.progress()


async def test_write_is_read_back_byte_for_byte(store: ShardStore) -> None:
    (row,) = await Writer(store).prepare({record_id(1): visits(5)})
    assert (await store.write([row], Cut.EMPTY)).outcomes == [DONE]
    (found,) = (await store.read([record_id(1)])).records
    assert found is not None
    assert (found.context, found.state) == (row.context, row.state)


async def test_answers_come_in_the_order_of_the_request(store: ShardStore) -> None:
    ids = [record_id(number, zone) for number in (9, 2, 7, 1) for zone in ("us", "eu")]
    writer = Writer(store)
    for place, each in enumerate(ids):
        await writer.increment(each, amount=place + 1)
    found = (await store.read([*reversed(ids), record_id(404)])).records
    assert found[-1] is None
    assert [await visits_of(store, each) for each in ids] == list(range(1, len(ids) + 1))
    by_id = await contents(store)
    assert [(row.context, row.state) for row in found[:-1] if row] == [by_id[each] for each in reversed(ids)]


async def test_one_id_may_be_read_twice(store: ShardStore) -> None:
    await Writer(store).increment(record_id(1))
    first, second = (await store.read([record_id(1), record_id(1)])).records
    assert first == second is not None


async def test_row_on_an_outdated_context_is_stale_and_does_not_stop_the_others(store: ShardStore) -> None:
    writer = Writer(store)
    await writer.increment(record_id(1), record_id(2))
    rows = await writer.prepare({record_id(3): visits(), record_id(1): visits(), record_id(2): visits()})
    await writer.increment(record_id(1), amount=10)
    assert (await store.write(rows, Cut.EMPTY)).outcomes == [DONE, STALE, DONE]
    assert [await visits_of(store, record_id(number)) for number in (1, 2, 3)] == [11, 2, 1]


async def test_row_for_a_new_record_is_stale_once_the_record_exists(store: ShardStore) -> None:
    rows = await Writer(store).prepare({record_id(1): visits()})
    await Writer(store).increment(record_id(1), amount=7)
    assert (await store.write(rows, Cut.EMPTY)).outcomes == [STALE]
    assert await visits_of(store, record_id(1)) == 7


async def test_row_on_a_context_is_stale_when_the_record_never_existed(store: ShardStore) -> None:
    (row,) = await Writer(store).prepare({record_id(1): visits()})
    stale = [replace(row, previous_context=row.context)]
    assert (await store.write(stale, Cut.EMPTY)).outcomes == [STALE]
    assert await value_of(store, record_id(1)) is None


async def test_repeating_a_write_whose_answer_was_lost_is_stale_and_counts_once(store: ShardStore) -> None:
    rows = await Writer(store).prepare({record_id(1): visits(), record_id(2): visits()})
    await store.write(rows, Cut.EMPTY)
    assert (await store.write(rows, Cut.EMPTY)).outcomes == [STALE, STALE]
    await store.capture()
    assert len(await rows_of(store, 1)) == 2
    assert await visits_of(store, record_id(1)) == 1


async def test_deleted_record_keeps_its_context_and_lives_again(store: ShardStore) -> None:
    writer = Writer(store)
    await writer.increment(record_id(1))
    await writer.delete(record_id(1))
    (tombstone,) = (await store.read([record_id(1)])).records
    assert tombstone is not None
    assert await value_of(store, record_id(1)) is None
    await writer.increment(record_id(1), amount=3)
    assert await visits_of(store, record_id(1)) == 3


async def test_large_and_awkward_values_survive(store: ShardStore) -> None:
    (row,) = await Writer(store).prepare({record_id(1, collection="größe"): visits()})
    document = ('{"text":"' + "ä\\u0000\\\\u0000" + "x" * 100_000 + '"}').encode()
    large = replace(row, state=bytes(range(256)) * 2_000, document=document)
    assert (await store.write([large], Cut.EMPTY)).outcomes == [DONE]
    (found,) = (await store.read([row.id])).records
    assert found is not None
    assert found.state == large.state


async def test_key_that_postgres_cannot_hold_is_the_callers_error(store: ShardStore) -> None:
    good, bad = await Writer(store).prepare({record_id(1): visits(), record_id(2): visits()})
    bad = replace(bad, id=bad.id._replace(key="a\0b"))
    with pytest.raises(InvalidValue):
        await store.write([good, bad], Cut.EMPTY)
    assert await contents(store) == {}


async def test_concurrent_increments_of_few_records_all_count(open_store: OpenStore, store: ShardStore) -> None:
    stores = [store, await open_store(beside=store)]
    ids = [record_id(number) for number in range(3)]
    await asyncio.gather(
        *(increment_until_done(Writer(stores[turn % 2]), ids[turn % 3]) for turn in range(30)),
    )
    assert [await visits_of(store, each) for each in ids] == [10, 10, 10]


async def test_concurrent_groups_in_opposite_orders_do_not_block_each_other_for_good(store: ShardStore) -> None:
    ids = [record_id(number) for number in range(40)]

    async def keep_writing(order: list[int]) -> int:
        done = 0
        for _ in range(8):
            rows = await Writer(store).prepare({ids[number]: visits() for number in order})
            done += (await store.write(rows, Cut.EMPTY)).outcomes.count(DONE)
        return done

    done = await asyncio.gather(keep_writing(list(range(40))), keep_writing(list(range(39, -1, -1))))
    assert sum([int(str(await visits_of(store, each))) for each in ids]) == sum(done)


# -- counters -----------------------------------------------------------------------------------------------------


async def test_counters_are_leased_once_in_growing_blocks(open_store: OpenStore, store: ShardStore) -> None:
    assert await store.lease_counters(3) == CounterBlock(1, 3)
    other = await open_store(beside=store)
    assert await other.lease_counters(1) == CounterBlock(4, 4)
    assert await store.lease_counters(10) == CounterBlock(5, 14)


async def test_concurrent_leases_never_overlap(open_store: OpenStore, store: ShardStore) -> None:
    stores = [store, await open_store(beside=store)]
    blocks = await asyncio.gather(*(stores[turn % 2].lease_counters(turn + 1) for turn in range(12)))
    leased = [counter for block in blocks for counter in range(block.first, block.last + 1)]
    assert sorted(leased) == list(range(1, len(leased) + 1))


# -- ownership ----------------------------------------------------------------------------------------------------

LOW = record_id(100).position
MIDDLE = record_id(200).position
HIGH = record_id(300).position


async def test_shard_without_ranges_is_fenced_everywhere(open_store: OpenStore) -> None:
    store = await open_store(claims=False)
    assert (await store.read([record_id(1)])).outcomes == [FENCED]
    assert (await Writer(store).increment(record_id(1))).outcomes == [FENCED]
    assert await store.ownership() == []
    assert await contents(store) == {}


async def test_fence_includes_the_low_end_and_excludes_the_high_end(open_store: OpenStore) -> None:
    store = await open_store(claims=False)
    await store.claim(Ownership(range=KeyRange(LOW, MIDDLE), epoch=1))
    ids = [record_id(number) for number in (99, 100, 199, 200, 300)]
    expected = [FENCED, DONE, DONE, FENCED, FENCED]
    assert (await store.read(ids)).outcomes == expected
    assert (await Writer(store).increment(*ids)).outcomes == expected
    assert (await store.read(ids)).records[0] is None
    assert set(await contents(store)) == {record_id(100), record_id(199)}


async def test_ownership_rows_come_in_order(open_store: OpenStore) -> None:
    store = await open_store(claims=False)
    rows = [
        Ownership(range=KeyRange(LOW, MIDDLE), epoch=4),
        Ownership(range=KeyRange(MIDDLE, HIGH), epoch=2),
        Ownership(range=KeyRange(HIGH, None), epoch=9),
    ]
    for row in reversed(rows):
        await store.claim(row)
    assert await store.ownership() == rows


async def test_claim_with_a_higher_or_equal_epoch_replaces_the_row(store: ShardStore) -> None:
    await store.claim(Ownership(range=EVERYTHING, epoch=5))
    await store.claim(Ownership(range=EVERYTHING, epoch=5))
    assert await store.ownership() == [Ownership(range=EVERYTHING, epoch=5)]


async def test_claim_with_a_lower_epoch_is_refused(store: ShardStore) -> None:
    await store.claim(Ownership(range=EVERYTHING, epoch=5))
    with pytest.raises(StaleRoute, match="epoch 5"):
        await store.claim(Ownership(range=EVERYTHING, epoch=4))
    assert await store.ownership() == [Ownership(range=EVERYTHING, epoch=5)]


@pytest.mark.parametrize(
    "wanted", [KeyRange(LOW, HIGH), KeyRange(b"", None), KeyRange(record_id(150).position, record_id(160).position)]
)
async def test_claim_that_overlaps_another_range_is_refused(open_store: OpenStore, wanted: KeyRange) -> None:
    store = await open_store(claims=False)
    await store.claim(Ownership(range=KeyRange(LOW, MIDDLE), epoch=1))
    with pytest.raises(StaleRoute, match="overlaps"):
        await store.claim(Ownership(range=wanted, epoch=9))
    assert await store.ownership() == [Ownership(range=KeyRange(LOW, MIDDLE), epoch=1)]


async def test_competing_claims_of_overlapping_ranges_have_one_winner(open_store: OpenStore) -> None:
    store = await open_store(claims=False)
    other = await open_store(beside=store)
    wanted = [KeyRange(LOW, HIGH), KeyRange(MIDDLE, None)]
    outcomes = await asyncio.gather(
        *(each.claim(Ownership(range=part, epoch=1)) for each, part in zip([store, other], wanted, strict=True)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, StaleRoute) for outcome in outcomes) == 1
    assert len(await store.ownership()) == 1


# -- the end ------------------------------------------------------------------------------------------------------


async def test_closed_store_is_unavailable_and_closes_again(store: ShardStore) -> None:
    await Writer(store).increment(record_id(1))
    await store.close()
    await store.close()
    with pytest.raises(Unavailable, match="closed"):
        await store.read([record_id(1)])


async def test_store_opened_again_finds_everything(open_store: OpenStore, store: ShardStore) -> None:
    writer = Writer(store)
    await writer.increment(record_id(1), record_id(2))
    await store.capture()
    before = (await contents(store), await store.progress(), await store.ownership())
    again = await open_store(beside=store)
    await store.close()
    assert (await contents(again), await again.progress(), await again.ownership()) == before
    assert again.identity == store.identity
