"""The stores that keep the contract of the ShardStore port: in memory, simulated, and on a real Postgres."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import pytest
from tests.contracts.bridge import Bridge, BridgedServer
from tests.contracts.records import FRANKFURT
from tests.fixtures.servers import run_aside

from atoll.ids import Origin
from atoll.keyspace.key_range import EVERYTHING
from atoll.ports import Ownership, ShardStore
from atoll.postgres.launcher import Server
from atoll.postgres.shard_store import open_shard_store
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.storage.memory_shard import MemoryShard
from atoll.simulation.storage.memory_store import MemoryShardStore

OpenStore = Callable[..., Awaitable[ShardStore]]
"""``(origin=FRANKFURT, *, beside=None, claims=True)``: a store on a shard of its own, or on the shard of another
store (as a second node would open it); by default it owns everything."""


@pytest.fixture(scope="session")
def kept_databases(postgres_server: Server) -> Iterator[list[str]]:
    """Databases that are emptied instead of dropped: making one costs a checkpoint, a suite of them minutes."""
    names = [f"contract_{os.getpid()}_{number}" for number in range(3)]
    yield [run_aside(postgres_server.create_database(name)) for name in names]
    for name in names:
        run_aside(postgres_server.drop_database(name))


async def empty(dsn: str) -> str:
    """Take the shard's schema out of a database."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("drop schema if exists atoll cascade")
    await connection.close()
    return dsn


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    """A way to the simulated side."""
    made = Bridge(SimulationLoop(seed=1))
    yield made
    made.loop.close()


@pytest.fixture(params=["memory", "simulated", "postgres"])
def new_place(request: pytest.FixtureRequest) -> Callable[[Origin], object]:
    """Makes places for the shards of one test. Not a coroutine, since a server may start."""
    match request.param:
        case "memory":
            return MemoryShard
        case "simulated":
            bridge: Bridge = request.getfixturevalue("bridge")
            return bridge.server
        case _:
            free = list(request.getfixturevalue("kept_databases"))
            return lambda _: free.pop()


@pytest.fixture
async def open_store(new_place: Callable[[Origin], object]) -> AsyncIterator[OpenStore]:
    """A factory of stores; all are closed after the test."""
    opened: list[ShardStore] = []
    places: dict[int, object] = {}

    async def connect(origin: Origin, place: object) -> Any:
        match place:
            case MemoryShard():
                return MemoryShardStore(origin, shard=place)
            case BridgedServer():
                return await place.open_store(f"{origin.region}/n{len(opened)}")
            case _:
                return await open_shard_store(str(place), origin, "ring")

    async def open_one(
        origin: Origin = FRANKFURT, *, beside: ShardStore | None = None, claims: bool = True
    ) -> ShardStore:
        if beside is not None:
            place = places[id(beside)]
        else:
            place = new_place(origin)
            if isinstance(place, str):
                await empty(place)
        store: ShardStore = await connect(origin, place)
        opened.append(store)
        places[id(store)] = place
        if claims and beside is None:
            await store.claim(Ownership(range=EVERYTHING, epoch=1))
        return store

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: OpenStore) -> ShardStore:
    """One store of Frankfurt's first shard that owns everything."""
    return await open_store()
