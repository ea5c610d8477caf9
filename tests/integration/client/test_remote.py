"""The remote client over real gRPC on loopback: records, sessions, bad input."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from tests.fixtures.engines import InMemoryRegion
from tests.fixtures.served import Served

import atoll
from atoll import limits
from atoll.errors import (
    AtollError,
    InvalidKey,
    InvalidToken,
    InvalidValue,
    PartialFailure,
    SessionNotCovered,
    UnknownCollection,
    UnknownField,
    UnknownZone,
    ValueTooLarge,
    WrongRule,
)

# -- records ------------------------------------------------------------------------------------------------------


async def test_every_operation_crosses_the_network(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        await db.put("cities", "2950159", {"name": "Berlin", "tags": ["old"]}, country="DE")
        await db.update(
            "cities", "2950159", atoll.increment("visits", 2), atoll.add("tags", "capital"), zone="europe"
        )
        await db.update("cities", "2950159", atoll.remove("tags", "old"), atoll.assign("mayor", "Kai"), zone="europe")
        assert await db.get("cities", "2950159", zone="europe") == {
            "mayor": "Kai",
            "name": "Berlin",
            "tags": frozenset({"capital"}),
            "visits": 2,
        }
        await db.update("cities", "2950159", atoll.clear("visits"), zone="europe")
        assert "visits" not in (await db.get("cities", "2950159", zone="europe") or {})
        await db.delete("cities", "2950159", zone="europe")
        assert await db.get("cities", "2950159", zone="europe") is None


async def test_calls_of_one_turn_travel_as_one_request(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        await asyncio.gather(*(db.put("notes", f"n{n}", {"n": n}) for n in range(300)))
        assert [len(request.operations) for request in node.requests] == [300]
        values = await asyncio.gather(*(db.get("notes", f"n{n}") for n in range(300)))
        assert values == [{"n": n} for n in range(300)]
        assert [len(request.operations) for request in node.requests] == [300, 300]


async def test_many_records_are_written_and_read_in_batches(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        notes = db.collection("notes")
        count = limits.BATCH_OPERATIONS_MAX + 5
        assert await notes.put_many({f"n{n}": {"n": n} for n in range(count)}) == count
        found = await notes.get_many([f"n{n}" for n in range(count + 1)])
        assert found == {**{f"n{n}": {"n": n} for n in range(count)}, f"n{count}": None}
        assert max(len(request.operations) for request in node.requests) == limits.BATCH_OPERATIONS_MAX


async def test_many_records_fail_one_by_one_and_by_name(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        records: list[tuple[str, dict[str, Any]]] = [
            ("a", {"n": 1}),
            ("bad", {"n": float("nan")}),
            ("b", {"n": 2}),
            ("", {"n": 3}),
        ]
        with pytest.raises(PartialFailure, match="2 of 4 records failed") as caught:
            await db.put_many("notes", records)
        assert {key: type(error) for key, error in caught.value.failures.items()} == {
            "bad": InvalidValue,
            "": InvalidKey,
        }
        assert await db.get_many("notes", ["a", "b"]) == {"a": {"n": 1}, "b": {"n": 2}}


async def test_place_of_each_record_may_be_a_function(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        cities = {"b": {"country": "DE"}, "p": {"country": "FR"}}
        await db.put_many("cities", cities, country=lambda _, fields: fields["country"])
        assert await db.get_many("cities", cities, zone="europe") == cities


BAD: list[tuple[Callable[[atoll.Client], Awaitable[object]], type[AtollError]]] = [
    (lambda db: db.put("nowhere", "k", {}), UnknownCollection),
    (lambda db: db.put("notes", "", {}), InvalidKey),
    (lambda db: db.put("notes", "k" * 1025, {}), InvalidKey),
    (lambda db: db.put("notes", "\ud800", {}), InvalidKey),
    (lambda db: db.put("notes", cast(Any, 5), {}), InvalidKey),
    (lambda db: db.put("notes", "k", {"x": float("nan")}), InvalidValue),
    (lambda db: db.put("notes", "k", {"x": 1 << 70}), InvalidValue),
    (lambda db: db.put("notes", "k", {"x": object()}), InvalidValue),
    (lambda db: db.put("notes", "k", {"x": "\ud800"}), InvalidValue),
    (lambda db: db.put("notes", "k", cast(Any, 7)), InvalidValue),
    (lambda db: db.put("notes", "k", {"visits": "many"}), WrongRule),
    (lambda db: db.update("notes", "k", atoll.increment("name")), UnknownField),
    (lambda db: db.update("notes", "k", atoll.increment("tags")), WrongRule),
    (lambda db: db.put("notes", "k", {"x": "y" * (limits.RECORD_BYTES_MAX + 1)}), ValueTooLarge),
    (lambda db: db.put("notes", "k", {"x": "y" * (limits.MESSAGE_BYTES_MAX + 1)}), ValueTooLarge),
    (lambda db: db.put("cities", "k", {}), UnknownZone),
    (lambda db: db.put("cities", "k", {}, zone="atlantis"), UnknownZone),
    (lambda db: db.put("cities", "k", {}, country="XX"), UnknownZone),
    (lambda db: db.put("cities", "k", {}, zone="europe", country="DE"), UnknownZone),
]


@pytest.mark.parametrize(("call", "error"), BAD, ids=[f"{error.__name__}-{n}" for n, (_, error) in enumerate(BAD)])
async def test_bad_call_raises_its_class_and_hurts_no_neighbour(
    node: Served, region: InMemoryRegion, call: Callable[[atoll.Client], Awaitable[object]], error: type[AtollError]
) -> None:
    async with atoll.connect(node.address) as db:
        before, refused, after = await asyncio.gather(
            db.put("notes", "a", {"n": 1}), call(db), db.put("notes", "b", {"n": 2}), return_exceptions=True
        )
        assert (before, after) == (None, None)
        assert type(refused) is error, refused
    assert {id.key for memory in region.memory.values() for id in memory.shard.records} == {"a", "b"}


async def test_batch_above_a_message_is_split(node: Served) -> None:
    async with atoll.connect(node.address, timeout_seconds=20.0) as db:
        big = "x" * (limits.RECORD_BYTES_MAX - 1_000)
        keys = [f"big{n}" for n in range(20)]
        await db.put_many("notes", {key: {"x": big} for key in keys})
        found = await db.get_many("notes", keys)
        assert list(map(len, (record["x"] for record in found.values() if record))) == [len(big)] * 20


async def test_zone_that_the_region_may_not_hold_is_served_by_one_that_may(
    node: Served, far_node: Served, region: InMemoryRegion, far_region: InMemoryRegion
) -> None:
    async with atoll.connect(node.address) as db:
        await db.put("cities", "tokyo", {"name": "Tokyo"}, country="JP")
        assert await db.get("cities", "tokyo", zone="asia") == {"name": "Tokyo"}
    assert not any(memory.shard.records for memory in region.memory.values())
    assert any(memory.shard.records for memory in far_region.memory.values())


# -- sessions -----------------------------------------------------------------------------------------------------


async def test_token_is_carried_from_call_to_call(node: Served) -> None:
    async with atoll.connect(node.address) as db:
        assert db.token == ""
        await db.put("notes", "a", {"n": 1})
        token = db.token
        assert token
        await db.get("notes", "a")
        assert node.requests[-1].tokens == [token]


async def test_session_without_guarantees_carries_no_token(node: Served) -> None:
    async with atoll.connect(node.address, session=False) as db:
        await db.put("notes", "a", {"n": 1})
        assert await db.get("notes", "a") == {"n": 1}
        assert db.token == ""


async def test_session_that_moved_waits_for_what_it_has_written(node: Served, far_node: Served) -> None:
    """Nothing replicates here: the far region can never cover the session, and says what is missing."""
    async with atoll.connect(node.address, timeout_seconds=0.3) as db:
        await db.put("notes", "a", {"n": 1})
        await db.move(far_node.address)
        with pytest.raises(SessionNotCovered, match=r"batch 2 of frankfurt/s\d \(here: 0\)"):
            await db.get("notes", "a")
        with pytest.raises(SessionNotCovered):
            await db.put("notes", "b", {"n": 1})
    async with atoll.connect(far_node.address) as stranger:
        assert await stranger.get("notes", "a") is None


async def test_token_goes_on_in_another_client(node: Served, far_node: Served) -> None:
    async with atoll.connect(node.address) as db:
        await asyncio.gather(*(db.put("notes", f"n{n}", {"n": n}) for n in range(5)))
        token = db.token
    async with atoll.connect(far_node.address, token=token, timeout_seconds=0.2) as other:
        with pytest.raises(SessionNotCovered):
            await other.get("notes", "n1")


async def test_forged_token_is_refused(node: Served) -> None:
    async with atoll.connect(node.address, token="AQAAAA==") as db:
        with pytest.raises(InvalidToken):
            await db.get("notes", "a")


async def test_tokens_of_many_requests_in_flight_stay_within_the_bound(node: Served) -> None:
    async with atoll.connect(node.address) as db:

        async def writer(number: int) -> None:
            for turn in range(20):
                await db.put("notes", f"{number}-{turn}", {"n": turn})
                await asyncio.sleep(0)

        await asyncio.gather(*(writer(number) for number in range(100)))
    assert max(len(request.tokens) for request in node.requests) <= limits.SESSION_TOKENS_MAX
