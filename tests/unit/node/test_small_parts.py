"""The cache of records and the mint of counters."""

from __future__ import annotations

import asyncio

import pytest

from atoll.crdt.record import Record
from atoll.errors import OutcomeUnknown, Unavailable
from atoll.ids import CollectionName, Origin, RecordId, RegionName, ShardName
from atoll.limits import COUNTER_BLOCK
from atoll.node.minting import CounterMint
from atoll.node.record_cache import NO_ROW, Known, RecordCache
from atoll.simulation.storage.memory_store import MemoryShardStore, Phase

ORIGIN = Origin(RegionName("frankfurt"), ShardName("s1"))


def record_id(number: int) -> RecordId:
    return RecordId(b"global\0" + number.to_bytes(8, "big"), CollectionName("notes"), str(number))


def test_cache_forgets_the_least_recently_used() -> None:
    cache = RecordCache(2)
    cache.put(record_id(1), NO_ROW)
    cache.put(record_id(2), NO_ROW)
    assert cache.get(record_id(1)) is NO_ROW
    cache.put(record_id(3), NO_ROW)
    assert len(cache) == 2
    assert cache.get(record_id(2)) is None
    cache.forget(record_id(1))
    assert cache.get(record_id(1)) is None


def test_cache_tells_a_record_only_by_its_very_context() -> None:
    cache = RecordCache(2)
    cache.put(record_id(1), Known(Record.empty(), b"context"))
    assert cache.peek(record_id(1), b"context") is Record.empty()
    assert cache.peek(record_id(1), b"another") is None
    assert cache.peek(record_id(2), b"context") is None


async def test_counters_are_consecutive_within_a_block_and_leased_once() -> None:
    store = MemoryShardStore(ORIGIN)
    mint = CounterMint(store)
    assert await mint.take(3, above=0) == 1
    assert await mint.take(2, above=3) == 4
    assert store.shard.leased == COUNTER_BLOCK


async def test_block_below_what_a_record_has_seen_is_given_up() -> None:
    store = MemoryShardStore(ORIGIN)
    one, two = CounterMint(store), CounterMint(store)
    assert await one.take(1, above=0) == 1
    assert await two.take(1, above=1) == COUNTER_BLOCK + 1
    assert await one.take(1, above=COUNTER_BLOCK + 1) == 2 * COUNTER_BLOCK + 1
    assert await one.take(1, above=0) == 2 * COUNTER_BLOCK + 2


async def test_concurrent_takers_share_one_lease() -> None:
    store = MemoryShardStore(ORIGIN)
    mint = CounterMint(store)
    firsts = await asyncio.gather(*(mint.take(10, above=0) for _ in range(20)))
    assert sorted(firsts) == list(range(1, 201, 10))
    assert store.shard.leased == COUNTER_BLOCK


async def test_lease_of_unknown_outcome_wastes_a_block_and_nothing_else() -> None:
    lose = True

    async def disturb(method: str, phase: Phase) -> None:
        if lose and method == "lease_counters" and phase is Phase.AFTER:
            raise OutcomeUnknown("the connection broke")

    mint = CounterMint(MemoryShardStore(ORIGIN, disturbance=disturb))
    with pytest.raises(Unavailable):
        await mint.take(1, above=0)
    lose = False
    assert await mint.take(1, above=0) == COUNTER_BLOCK + 1
