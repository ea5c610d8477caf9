"""Group commit: what is written together, what goes round again, and what is never counted twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from tests.fixtures.engines import S1, S2, Faulty, InMemoryRegion, ask, get, increment, put, until

from atoll import limits
from atoll.crdt.codec import decode_record
from atoll.errors import InvalidValue, OutcomeUnknown, Overloaded, StaleRoute, Unavailable
from atoll.ids import ShardName
from atoll.keyspace.shard_map import Assignment, ShardMap
from atoll.ports import Ownership, RowWrite
from atoll.requests import Found, Written

Stores = dict[ShardName, Faulty]


def groups(stores: Stores) -> list[Sequence[RowWrite]]:
    return [rows for store in stores.values() for rows in store.groups]


def on_first_write(stores: Stores, what: str, action: Callable[[Sequence[RowWrite]], Awaitable[None]]) -> None:
    """Do something before or after the very next write of any shard, once."""

    async def once(rows: Sequence[RowWrite]) -> None:
        for store in stores.values():
            setattr(store, what, None)
        await action(rows)

    for store in stores.values():
        setattr(store, what, once)


async def lose_connection(_: Sequence[RowWrite]) -> None:
    raise OutcomeUnknown("the connection broke")


async def visits(region: InMemoryRegion, key: str = "a") -> int:
    engine, _ = await region.engine()
    (found,) = await ask(engine, get(key))
    assert isinstance(found, Found)
    return int((found.value or {}).get("visits", 0))


# -- groups -------------------------------------------------------------------------------------------------------


async def test_what_waits_is_written_in_one_group_a_lane(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    await ask(engine, *[increment(f"key{n}") for n in range(200)])
    written = groups(stores)
    assert sum(map(len, written)) == 200
    assert len(written) <= 2 * limits.WRITE_LANES_PER_SHARD


async def test_group_is_never_larger_than_its_bound(region: InMemoryRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atoll.node.writer.GROUP_RECORDS_MAX", 7)
    engine, stores = await region.engine()
    await ask(engine, *[increment(f"key{n}") for n in range(100)])
    assert max(map(len, groups(stores))) == 7


async def test_operations_on_one_record_become_one_row_with_a_dot_each(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    await ask(engine, *[increment("a") for _ in range(20)])
    ((row,),) = groups(stores)
    assert row.counter == 20
    assert await visits(region) == 20


async def test_second_write_of_a_record_needs_no_read(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    await ask(engine, increment("a"))
    await ask(engine, increment("a"))
    assert [reads for store in stores.values() for reads in store.reads] == [1]


async def test_cancelled_caller_stops_no_write_that_was_sent(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    sent, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Sequence[RowWrite]) -> None:
        sent.set()
        await go_on.wait()

    on_first_write(stores, "before_write", wait)
    caller = asyncio.create_task(ask(engine, increment("a")))
    await sent.wait()
    caller.cancel()
    go_on.set()
    await until(lambda: any(memory.shard.records for memory in region.memory.values()))
    assert await visits(region) == 1


async def test_value_that_the_shard_refuses_fails_alone(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()

    async def refuse(rows: Sequence[RowWrite]) -> None:
        if any(row.id.key == "bad" for row in rows):
            raise InvalidValue("Postgres cannot hold it")

    for store in stores.values():
        store.before_write = refuse
    results = await ask(engine, *[increment(key) for key in ("a", "b", "bad", "c", "d")])
    assert [type(result) for result in results] == [Written, Written, InvalidValue, Written, Written]


# -- competing writers --------------------------------------------------------------------------------------------


async def test_loser_of_a_race_reads_again_and_writes_on_top(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    rival, _ = await region.engine()
    await ask(engine, increment("a"))
    await ask(rival, increment("a"))
    assert await ask(engine, increment("a")) == [Written()]
    assert await visits(region) == 3
    assert [len(rows) for rows in groups(stores)] == [1, 1, 1]


async def test_writers_of_two_processes_are_all_counted(region: InMemoryRegion) -> None:
    processes = [(await region.engine())[0] for _ in range(2)]
    keys = ["a", "b", "c"]
    for _ in range(30):
        await asyncio.gather(*(ask(engine, *(increment(key) for key in keys)) for engine in processes))
    assert [await visits(region, key) for key in keys] == [60, 60, 60]


async def test_counters_of_a_record_grow_whoever_writes_it(region: InMemoryRegion) -> None:
    (one, stores_one), (two, stores_two) = await region.engine(), await region.engine()
    for _ in range(5):
        await ask(one, increment("a"), increment("b"))
        await ask(two, increment("b"), increment("a"))
    for key in ("a", "b"):
        shard = next(s for s in (S1, S2) if any(id.key == key for id in region.memory[s].shard.records))
        counters = [
            decode_record(change.row.context, change.row.state).context.highest(region.memory[shard].identity.actor)
            for change in region.memory[shard].shard.log
            if change.row.id.key == key
        ]
        assert counters == sorted(set(counters))
        assert len(counters) == 10
    written = [row.counter for rows in (*groups(stores_one), *groups(stores_two)) for row in rows]
    assert len(written) == len(
        {*zip(written, [row.id for rows in (*groups(stores_one), *groups(stores_two)) for row in rows], strict=True)}
    )


async def test_record_that_others_always_write_first_is_given_up(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    rival, _ = await region.engine()

    async def overtake(rows: Sequence[RowWrite]) -> None:
        await ask(rival, *(increment(row.id.key) for row in rows))

    for store in stores.values():
        store.before_write = overtake
    (result,) = await ask(engine, increment("a"))
    assert type(result) is Overloaded
    assert await visits(region) == limits.WRITE_ATTEMPTS_MAX


# -- lost answers -------------------------------------------------------------------------------------------------


async def test_write_whose_answer_was_lost_is_counted_once(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    on_first_write(stores, "after_write", lose_connection)
    assert await ask(engine, increment("a"), increment("a")) == [Written(), Written()]
    assert await visits(region) == 2
    assert len(groups(stores)) == 1


async def test_write_that_was_lost_on_the_way_is_sent_again(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    on_first_write(stores, "before_write", lose_connection)
    assert await ask(engine, increment("a"), increment("a")) == [Written(), Written()]
    assert await visits(region) == 2
    assert len(groups(stores)) == 2


async def test_write_that_lands_late_is_counted_once(region: InMemoryRegion) -> None:
    """The first attempt is still on its way when the second is made; it lands first."""
    engine, stores = await region.engine()
    lost: list[Sequence[RowWrite]] = []

    async def go_missing(rows: Sequence[RowWrite]) -> None:
        lost.append(rows)
        on_first_write(stores, "before_write", land)
        raise OutcomeUnknown("the connection broke")

    async def land(_: Sequence[RowWrite]) -> None:
        await store_of(region, lost[0][0]).write(
            lost[0], stores[S1].dependencies[0] if stores[S1].dependencies else stores[S2].dependencies[0]
        )

    on_first_write(stores, "before_write", go_missing)
    assert await ask(engine, increment("a")) == [Written()]
    assert await visits(region) == 1


async def test_write_that_lands_after_its_repetition_changes_nothing(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    lost: list[Sequence[RowWrite]] = []

    async def go_missing(rows: Sequence[RowWrite]) -> None:
        lost.append(rows)
        raise OutcomeUnknown("the connection broke")

    on_first_write(stores, "before_write", go_missing)
    assert await ask(engine, increment("a")) == [Written()]
    from atoll.causality.cut import Cut
    from atoll.ports import Outcome

    late = await store_of(region, lost[0][0]).write(lost[0], Cut.EMPTY)
    assert late.outcomes == [Outcome.STALE]
    assert await visits(region) == 1


@pytest.mark.parametrize("landed", [True, False])
async def test_lost_answer_hidden_by_another_writer_is_told_as_unknown(region: InMemoryRegion, landed: bool) -> None:
    """The rival's context covers the lost dot either way, so success may not be claimed."""
    engine, stores = await region.engine()
    rival, _ = await region.engine()
    await ask(engine, increment("other"), increment("other2"), increment("other3"))

    async def lose(rows: Sequence[RowWrite]) -> None:
        await ask(rival, increment("a"))
        raise OutcomeUnknown("the connection broke")

    on_first_write(stores, "after_write" if landed else "before_write", lose)
    (result,) = await ask(engine, increment("a"))
    assert type(result) is OutcomeUnknown
    assert await visits(region) == (2 if landed else 1)


async def test_write_in_doubt_at_its_deadline_is_told_as_unknown_and_not_repeated(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()

    async def gone(*_: object) -> None:
        raise Unavailable("the shard is away")

    async def lose_then_go(_: Sequence[RowWrite]) -> None:
        for store in stores.values():
            store.before_read = gone
        raise OutcomeUnknown("the connection broke")

    on_first_write(stores, "before_write", lose_then_go)
    (result,) = await ask(engine, increment("a"), seconds=0.2)
    assert type(result) is OutcomeUnknown
    assert "read before you repeat it" in str(result)
    for store in stores.values():
        store.before_read = None
    assert await ask(engine, increment("b")) == [Written()]
    assert await visits(region) == 0


async def test_shard_that_is_away_past_the_deadline_is_unavailable(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()

    async def gone(*_: object) -> None:
        raise Unavailable("the shard is away")

    for store in stores.values():
        store.before_write = gone
        store.before_read = gone
    results = await ask(engine, increment("a"), get("a"), seconds=0.15)
    assert [type(result) for result in results] == [Unavailable, Unavailable]
    for store in stores.values():
        store.before_read = store.before_write = None
    assert await visits(region) == 0


async def test_shard_that_returns_in_time_takes_the_write(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    failures = iter(range(3))

    async def gone(*_: object) -> None:
        if next(failures, None) is not None:
            raise Unavailable("the shard is away")

    for store in stores.values():
        store.before_write = gone
    assert await ask(engine, increment("a")) == [Written()]
    assert await visits(region) == 1


async def test_lane_survives_what_nobody_foresaw(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))

    async def explode(_: Sequence[RowWrite]) -> None:
        raise ZeroDivisionError("a defect")

    on_first_write(stores, "before_write", explode)
    (result,) = await ask(engine, increment("a"))
    assert type(result) is OutcomeUnknown
    assert len(told) == 1
    assert await ask(engine, increment("a")) == [Written()]


# -- fences -------------------------------------------------------------------------------------------------------


async def move_everything_to(region: InMemoryRegion, shard: str) -> None:
    """Hand every range to one shard, in the shards first, then in the map."""
    old = await region.catalog.shard_map()
    moved = [
        Assignment(range=each.range, shard=shard, epoch=each.epoch if each.shard == shard else each.epoch + 1)  # type: ignore[arg-type]
        for each in old.assignments
    ]
    for memory in region.memory.values():
        memory.shard.ownership.clear()
    for each in moved:
        await region.memory[shard].claim(Ownership(range=each.range, epoch=each.epoch))  # type: ignore[index]
    await region.catalog.publish(ShardMap(old.version + 1, moved))


async def test_fenced_operations_follow_the_new_map(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    await ask(engine, *[put(f"before{n}", {"n": n}) for n in range(8)])
    await move_everything_to(region, S2)
    results = await ask(engine, *[put(f"after{n}", {"n": n}) for n in range(20)])
    assert set(map(type, results)) == {Written}
    found = await ask(engine, *[get(f"after{n}") for n in range(20)])
    assert found == [Found({"n": n}) for n in range(20)]
    assert not any(id.key.startswith("after") for id in region.memory[S1].shard.records)


async def test_fence_that_no_map_explains_is_a_stale_route_with_its_epoch(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    for memory in region.memory.values():
        memory.shard.ownership.clear()
    results = await ask(engine, increment("a"), get("a"), seconds=0.3)
    assert [type(result) for result in results] == [StaleRoute, StaleRoute]
    assert all("at epoch 1" in str(result) for result in results)
    assert not any(memory.shard.records for memory in region.memory.values())


async def test_map_is_read_once_for_all_who_were_refused(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    await move_everything_to(region, S1)
    reads = 0
    original = region.catalog.shard_map

    async def counted() -> ShardMap:
        nonlocal reads
        reads += 1
        return await original()

    region.catalog.shard_map = counted  # type: ignore[method-assign]
    await asyncio.gather(*(ask(engine, put(f"key{n}", {"n": n})) for n in range(100)))
    assert reads == 1


def store_of(region: InMemoryRegion, row: RowWrite) -> Faulty:
    return Faulty(next(memory for memory in region.memory.values() if memory.shard.owns(row.id.position)))
