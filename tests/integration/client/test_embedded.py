"""The embedded client on real Postgres: records, competing processes, a crash in the middle of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.fixtures.engines import HERE, KEY, S1, S2, Wires, topology

import atoll
from atoll.client.client import Client
from atoll.client.opening import open_embedded
from atoll.errors import (
    InvalidConfiguration,
    InvalidRequest,
    InvalidToken,
    OutcomeUnknown,
    PartialFailure,
    Retryable,
    Unavailable,
    WrongRule,
)
from atoll.keyspace.topology import Shard, Topology
from atoll.postgres.launcher import Server
from atoll.server.postgres_storage import PostgresStorage
from atoll.system_clock import SystemClock
from atoll.system_entropy import SystemEntropy


@pytest.fixture
def ring(fresh_database: Callable[[], str]) -> Topology:
    """One region of two shards on fresh databases."""
    return on_databases(fresh_database(), fresh_database())


def on_databases(one: str, two: str) -> Topology:
    whole = topology()
    here = replace(whole.regions[HERE], shards=[Shard(name=S1, dsn=one), Shard(name=S2, dsn=two)])
    return replace(whole, regions={**whole.regions, HERE: here})


async def embedded(ring: Topology, *, token: str = "", timeout_seconds: float = 5.0) -> Client:
    """A client with an engine of its own, as another process would have."""
    door = await open_embedded(
        ring,
        HERE,
        storage=PostgresStorage(),
        transport=Wires(),
        token_key=KEY,
        clock=SystemClock(),
        entropy=SystemEntropy(),
        tokens=[token] if token else [],
    )
    return Client(door, timeout_seconds=timeout_seconds)


async def test_records_are_written_read_updated_and_deleted(ring: Topology) -> None:
    async with await embedded(ring) as db:
        cities = db.collection("cities", country="DE")
        await cities.put("2950159", {"name": "Berlin", "population": 3_426_354})
        await cities.update("2950159", atoll.increment("visits", 3), atoll.add("tags", "capital"))
        assert await db.get("cities", "2950159", zone="europe") == {
            "name": "Berlin",
            "population": 3_426_354,
            "tags": frozenset({"capital"}),
            "visits": 3,
        }
        await cities.delete("2950159")
        assert await cities.get("2950159") is None


async def test_many_records_are_spread_over_the_shards_and_come_back(ring: Topology) -> None:
    async with await embedded(ring) as db:
        records = {f"n{number}": {"n": number} for number in range(2_500)}
        assert await db.put_many("notes", records) == 2_500
        assert await db.get_many("notes", records) == records
        mixed: dict[str, dict[str, Any]] = {"good": {"n": 1}, "bad": {"visits": "many"}}
        with pytest.raises(PartialFailure) as caught:
            await db.put_many("notes", mixed)
        assert {key: type(error) for key, error in caught.value.failures.items()} == {"bad": WrongRule}


async def test_value_given_back_is_the_callers_own(ring: Topology) -> None:
    async with await embedded(ring) as db:
        given = {"list": [1, 2]}
        await db.put("notes", "a", given)
        given["list"].append(3)
        one, two = await asyncio.gather(db.get("notes", "a"), db.get("notes", "a"))
        assert one == two == {"list": [1, 2]}
        assert one is not None
        one["list"].append(4)
        assert await db.get("notes", "a") == two == {"list": [1, 2]}


async def test_session_goes_on_in_another_process(ring: Topology) -> None:
    async with await embedded(ring) as db:
        await db.put("notes", "a", {"n": 1})
        token = db.token
    async with await embedded(ring, token=token) as other:
        assert await other.get("notes", "a") == {"n": 1}
        with pytest.raises(InvalidRequest, match="cannot move"):
            await other.move("127.0.0.1:1")


async def test_increments_of_competing_processes_are_counted_exactly(ring: Topology) -> None:
    clients = [await embedded(ring, timeout_seconds=30.0) for _ in range(2)]
    keys = ["a", "b", "c", "d"]

    async def worker(db: Client) -> None:
        for turn in range(50):
            await db.update("notes", keys[turn % len(keys)], atoll.increment("visits"))

    await asyncio.gather(*(worker(db) for db in clients for _ in range(4)))
    found = await clients[0].get_many("notes", keys)
    assert sum((record or {})["visits"] for record in found.values()) == 400
    for db in clients:
        await db.close()


async def test_region_that_is_not_in_the_ring_is_refused(ring: Topology) -> None:
    with pytest.raises(InvalidConfiguration, match="paris"):
        await open_embedded(
            ring,
            "paris",  # type: ignore[arg-type]
            storage=PostgresStorage(),
            transport=Wires(),
            token_key=KEY,
            clock=SystemClock(),
            entropy=SystemEntropy(),
        )


async def test_refused_token_leaves_nothing_running(ring: Topology) -> None:
    before = asyncio.all_tasks()
    with pytest.raises(InvalidToken):
        await open_embedded(
            ring,
            next(iter(ring.regions)),
            storage=PostgresStorage(),
            transport=Wires(),
            token_key=KEY,
            clock=SystemClock(),
            entropy=SystemEntropy(),
            tokens=["forged"],
        )
    assert asyncio.all_tasks() == before


@dataclass
class Ledger:
    """What the callers of one key were told."""

    acknowledged: Counter[str]
    unknown: Counter[str]


async def test_crash_in_the_middle_loses_and_repeats_nothing(crashable_server: Server) -> None:
    """Two processes increment the same records while Postgres is killed and started again, twice."""
    one = await crashable_server.create_database("one")
    two = await crashable_server.create_database("two")
    clients = [await embedded(on_databases(one, two), timeout_seconds=1.0) for _ in range(2)]
    keys = [f"k{number}" for number in range(12)]
    ledger = Ledger(Counter(), Counter())
    done = asyncio.Event()

    async def worker(db: Client, number: int) -> None:
        turn = number
        while not done.is_set():
            key = keys[turn % len(keys)]
            turn += 5
            try:
                await db.update("notes", key, atoll.increment("visits"))
                ledger.acknowledged[key] += 1
            except OutcomeUnknown:
                ledger.unknown[key] += 1
            except Retryable:
                pass  # nothing was written

    workers = [asyncio.create_task(worker(db, number)) for db in clients for number in range(6)]
    for _ in range(2):
        await written_since(ledger, 150)
        crashable_server.kill()
        await crashable_server.start()
    await written_since(ledger, 150)
    done.set()
    await asyncio.gather(*workers)
    found = await clients[0].get_many("notes", keys, timeout_seconds=10.0)
    for key in keys:
        visits = (found[key] or {}).get("visits", 0)
        told = ledger.acknowledged[key]
        assert told <= visits <= told + ledger.unknown[key], (key, told, ledger.unknown[key])
    assert sum(ledger.acknowledged.values()) > 400
    for db in clients:
        await db.close()


async def written_since(ledger: Ledger, count: int) -> None:
    """Wait for ``count`` more acknowledged writes."""
    goal = ledger.acknowledged.total() + count
    async with asyncio.timeout(60):
        while ledger.acknowledged.total() < goal:  # noqa: ASYNC110  workers count, nothing signals
            await asyncio.sleep(0.01)


async def test_region_without_its_catalog_cannot_be_opened() -> None:
    gone = "postgresql://nobody@127.0.0.1:1/nothing"
    with pytest.raises(Unavailable):
        await embedded(on_databases(gone, gone))
