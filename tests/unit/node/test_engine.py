"""Requests through the engine: results, routing, errors, limits."""

from __future__ import annotations

import asyncio

import pytest
from tests.fixtures.engines import (
    ASIA_ONLY,
    CITIES,
    NOTES,
    THERE,
    InMemoryRegion,
    ask,
    get,
    increment,
    put,
    update,
)

from atoll import limits
from atoll.crdt.operations import Add, Delete, Increment, Put, Remove, Set, Update
from atoll.errors import (
    AtollError,
    DeadlineExceeded,
    InvalidKey,
    InvalidToken,
    InvalidValue,
    Overloaded,
    UnknownCollection,
    UnknownField,
    UnknownZone,
    ValueTooLarge,
    WrongRule,
    ZoneNotHosted,
)
from atoll.ids import CollectionName, ZoneName
from atoll.requests import Found, Mutate, Written


async def test_written_record_is_read_back(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    assert await ask(engine, put("a", {"name": "Ada"})) == [Written()]
    assert await ask(engine, get("a")) == [Found({"name": "Ada"})]


async def test_absent_record_is_found_as_nothing(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    assert await ask(engine, get("nobody")) == [Found(None)]


async def test_update_merges_by_the_rule_of_each_field(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    await ask(engine, update("a", Increment("visits", 2), Add("tags", ("x", "y")), Set("name", "Ada")))
    await ask(engine, update("a", Increment("visits"), Remove("tags", ("x",))))
    assert await ask(engine, get("a")) == [Found({"name": "Ada", "tags": frozenset({"y"}), "visits": 3})]


async def test_value_that_is_read_belongs_to_its_reader_alone(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    given = {"list": [1, {"deep": [2]}]}
    await ask(engine, put("a", given))
    given["list"].append(3)
    for _ in range(2):
        one, two = await ask(engine, get("a"), get("a"))
        assert one == two == Found({"list": [1, {"deep": [2]}]})
        assert isinstance(one, Found)
        assert one.value is not None
        one.value["list"][1]["deep"].append(4)


async def test_deleted_record_is_absent(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    await ask(engine, put("a", {"name": "Ada"}))
    await ask(engine, Mutate(collection=NOTES, key="a", write=Delete()))
    assert await ask(engine, get("a")) == [Found(None)]


async def test_results_are_in_the_order_of_the_operations(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    keys = [f"key{number}" for number in range(50)]
    await ask(engine, *(put(key, {"name": key}) for key in keys))
    results = await ask(engine, *(get(key) for key in keys))
    assert results == [Found({"name": key}) for key in keys]


async def test_empty_request_is_answered(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    assert await ask(engine) == []


async def test_country_leads_to_its_zone(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    await ask(engine, put("berlin", {"name": "Berlin"}, CITIES, "country:DE"))
    assert await ask(engine, get("berlin", CITIES, "europe")) == [Found({"name": "Berlin"})]
    assert await ask(engine, get("berlin", CITIES, "country:fr")) == [Found({"name": "Berlin"})]


BAD = [
    (put("a", {"x": 1}, CollectionName("nowhere")), UnknownCollection),
    (put("", {"x": 1}), InvalidKey),
    (put("k" * (limits.KEY_BYTES_MAX + 1), {"x": 1}), InvalidKey),
    (put("nul\0", {"x": 1}), InvalidKey),
    (put("lone \ud800", {"x": 1}), InvalidKey),
    (Mutate(collection=NOTES, key=7, write=Put({"x": 1})), InvalidKey),  # type: ignore[arg-type]
    (put("a", {"x": float("nan")}), InvalidValue),
    (put("a", {"x": 1 << 64}), InvalidValue),
    (put("a", {"x": object()}), InvalidValue),
    (put("a", {"x": "nul\0"}), InvalidValue),
    (Mutate(collection=NOTES, key="a", write=Put(7)), InvalidValue),  # type: ignore[arg-type]
    (put("a", {"visits": "many"}), WrongRule),
    (update("a", Increment("name")), UnknownField),
    (update("a", Increment("tags")), WrongRule),
    (update("a", Add("visits", ("x",))), WrongRule),
    (put("a", {"x": "y" * (limits.RECORD_BYTES_MAX + 1)}), ValueTooLarge),
    (put("a", {"x": 1}, CITIES), UnknownZone),
    (put("a", {"x": 1}, CITIES, "atlantis"), UnknownZone),
    (put("a", {"x": 1}, CITIES, "country:XX"), UnknownZone),
    (put("a", {"x": 1}, CITIES, "country:"), UnknownZone),
    (put("a", {"x": 1}, NOTES, "europe"), UnknownZone),
]


@pytest.mark.parametrize(("bad", "error"), BAD, ids=[f"{error.__name__}-{n}" for n, (_, error) in enumerate(BAD)])
async def test_bad_operation_fails_alone_and_stores_nothing(
    region: InMemoryRegion, bad: Mutate, error: type[AtollError]
) -> None:
    engine, _ = await region.engine()
    before, refused, after = await ask(engine, put("b", {"n": 1}), bad, put("c", {"n": 2}))
    assert (before, after) == (Written(), Written())
    assert type(refused) is error, refused
    stored = {id.key for memory in region.memory.values() for id in memory.shard.records}
    assert stored == {"b", "c"}


async def test_bad_operation_does_not_hurt_others_on_the_same_record(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    results = await ask(
        engine, increment("a"), update("a", Increment("tags")), increment("a"), put("a", {"x": float("inf")})
    )
    assert [type(result) for result in results] == [Written, WrongRule, Written, InvalidValue]
    assert await ask(engine, get("a")) == [Found({"visits": 2})]
    assert sum(len(rows) for store in stores.values() for rows in store.groups) == 1


async def test_write_that_makes_its_record_too_large_fails_alone(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    half = "x" * (limits.RECORD_BYTES_MAX // 2)
    results = await ask(engine, update("a", Set("one", half)), update("a", Set("two", half)), increment("a"))
    assert [type(result) for result in results] == [Written, ValueTooLarge, Written]
    (found,) = await ask(engine, get("a"))
    assert isinstance(found, Found)
    assert found.value == {"one": half, "visits": 1}


async def test_strict_collection_refuses_undeclared_fields() -> None:
    region = InMemoryRegion(THERE)
    engine, _ = await region.engine()
    (refused,) = await ask(engine, put("a", {"surprise": 1}, ASIA_ONLY))
    assert type(refused) is UnknownField
    await region.close()


async def test_request_of_too_many_operations_is_refused_whole(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    with pytest.raises(ValueTooLarge, match="1,000"):
        await ask(engine, *[put(str(n), {"n": n}) for n in range(limits.BATCH_OPERATIONS_MAX + 1)])
    assert not any(memory.shard.records for memory in region.memory.values())


async def test_request_with_too_many_tokens_is_refused_whole(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    with pytest.raises(ValueTooLarge, match="tokens"):
        await ask(engine, get("a"), tokens=[""] * (limits.SESSION_TOKENS_MAX + 1))


async def test_request_with_a_forged_token_is_refused_whole(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    with pytest.raises(InvalidToken):
        await ask(engine, put("a", {"n": 1}), tokens=["AQ=="])
    assert not any(memory.shard.records for memory in region.memory.values())


async def test_write_that_waits_past_its_deadline_was_not_written(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()
    hold, begun = asyncio.Event(), asyncio.Event()

    async def wait(*_: object) -> None:
        begun.set()
        await hold.wait()

    for store in stores.values():
        store.before_read = wait
    (late,) = await ask(engine, put("a", {"n": 1}), seconds=0.05)
    assert begun.is_set()
    assert type(late) is DeadlineExceeded
    hold.set()
    for store in stores.values():
        store.before_read = None
    assert await ask(engine, get("a")) == [Found(None)]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
async def test_deadline_without_time_ends_at_once(region: InMemoryRegion, seconds: float) -> None:
    engine, stores = await region.engine()
    never = asyncio.Event()

    async def wait(*_: object) -> None:
        await never.wait()

    for store in stores.values():
        store.before_read = wait
    assert [type(result) for result in await ask(engine, get("a"), seconds=seconds)] == [DeadlineExceeded]


async def test_full_writer_refuses_with_its_bound(region: InMemoryRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atoll.node.writer.WRITE_QUEUE_MAX", 3)
    engine, _ = await region.engine()
    results = await ask(engine, *[increment(f"a{n}") for n in range(40)])
    kinds = {type(result) for result in results}
    assert kinds == {Written, Overloaded}
    assert sum(isinstance(result, Written) for result in results) == 3 * 2
    assert "3 writes wait" in str(next(result for result in results if isinstance(result, Overloaded)))


async def test_full_reader_refuses_with_its_bound(region: InMemoryRegion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atoll.node.reader.READ_QUEUE_MAX", 3)
    engine, _ = await region.engine()
    results = await ask(engine, *[get(f"a{n}") for n in range(40)])
    assert sum(isinstance(result, Overloaded) for result in results) == 40 - 2 * 3


async def test_zone_that_is_not_hosted_is_refused_to_a_forwarded_request(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    mine, theirs = await ask(engine, put("a", {"n": 1}), put("b", {"n": 1}, ASIA_ONLY), forwarded=True)
    assert mine == Written()
    assert type(theirs) is ZoneNotHosted
    assert "tokyo" in str(theirs)


async def test_operations_are_counted_by_kind_and_result(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    await ask(engine, put("a", {"n": 1}), get("a"), update("a", Increment("n")), get("a"))
    count = engine.metrics.registry.get_sample_value
    assert count("atoll_operations_total", {"kind": "read", "code": "ok"}) == 2
    assert count("atoll_operations_total", {"kind": "write", "code": "ok"}) == 1
    assert count("atoll_operations_total", {"kind": "write", "code": "unknown_field"}) == 1


async def test_closed_engine_leaves_no_caller_waiting(region: InMemoryRegion) -> None:
    engine, stores = await region.engine()

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    for store in stores.values():
        store.before_read = never
    waiting = asyncio.create_task(ask(engine, get("a"), increment("b")))
    await asyncio.sleep(0)
    await engine.close()
    results = await waiting
    assert all(isinstance(result, AtollError) for result in results)


async def test_update_without_operations_makes_an_empty_record(region: InMemoryRegion) -> None:
    engine, _ = await region.engine()
    write = Mutate(collection=CITIES, key="a", write=Update(()), zone=ZoneName("europe"))
    assert await ask(engine, write) == [Written()]
    assert await ask(engine, get("a", CITIES, "europe")) == [Found({})]
