"""A transaction that was prepared and forgotten, on a simulated server as on a real one.

Atoll's own writes commit inside their procedure and cannot be prepared. What can stay behind on a shard is somebody
else's transaction: it holds a transaction number open, and records locked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg
import pytest
from tests.contracts.bridge import Bridge, BridgedServer
from tests.contracts.conftest import empty
from tests.contracts.records import FRANKFURT, Writer, record_id, rows_of, visits, visits_of
from tests.fixtures.servers import run_aside

from atoll.causality.cut import Cut
from atoll.ids import RecordId
from atoll.keyspace.key_range import EVERYTHING
from atoll.ports import Outcome, Ownership, ShardStore
from atoll.postgres.launcher import Server
from atoll.postgres.shard_store import open_shard_store

ONE, TWO, THREE = (record_id(number) for number in (1, 2, 3))


@dataclass(kw_only=True)
class Stage:
    """A store, and a stranger on its server."""

    store: ShardStore
    prepare: Callable[[Sequence[RecordId]], Awaitable[None]]
    resolve: Callable[[bool], Awaitable[None]]
    somebody_waits: Callable[[], Awaitable[None]]
    """Returns when a statement waits for a lock."""
    crash: Callable[[], Awaitable[None]]
    """Kills the server and brings it back."""


async def simulated(server: BridgedServer) -> Stage:
    bridge, database = server

    async def prepare(records: Sequence[RecordId]) -> None:
        database.prepare(records)

    async def resolve(commit: bool) -> None:
        database.resolve(commit)

    async def somebody_waits() -> None:
        await bridge.run(bridge.loop.current_host().clock.sleep(1.0))
        assert database.bites["prepared_transaction: statements that waited"] > 0

    async def crash() -> None:
        database.crash()
        database.restart()
        await bridge.run(bridge.loop.current_host().clock.sleep(1.0))

    store = await server.open_store("frankfurt/n1")
    return Stage(store=store, prepare=prepare, resolve=resolve, somebody_waits=somebody_waits, crash=crash)


async def real(dsn: str, server: Server | None) -> Stage:
    async def run(*statements: str) -> None:
        connection = await asyncpg.connect(dsn)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    async def prepare(records: Sequence[RecordId]) -> None:
        keys = ", ".join(f"'{record.key}'" for record in records) or "''"
        lock = f"select from atoll.record where key in ({keys}) for update"
        await run("begin", "select pg_current_xact_id()", lock, "prepare transaction 'forgotten'")

    async def resolve(commit: bool) -> None:
        await run("commit prepared 'forgotten'" if commit else "rollback prepared 'forgotten'")

    async def somebody_waits() -> None:
        connection = await asyncpg.connect(dsn)
        async with asyncio.timeout(20):
            while not await connection.fetchval("select count(*) from pg_locks where not granted"):
                await connection.execute("select pg_sleep(0.01)")
        await connection.close()

    async def crash() -> None:
        assert server is not None
        server.kill()
        await server.start()

    store = await open_shard_store(dsn, FRANKFURT, "ring")
    return Stage(store=store, prepare=prepare, resolve=resolve, somebody_waits=somebody_waits, crash=crash)


Make = Callable[[], Awaitable[Stage]]


@pytest.fixture(params=["simulated", "postgres"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a stage; synchronous, since servers start outside of event loops."""
    if request.param == "simulated":
        bridge: Bridge = request.getfixturevalue("bridge")
        return lambda: simulated(bridge.server(FRANKFURT))
    (dsn, *_) = request.getfixturevalue("kept_databases")
    return lambda: real(dsn, None)


@pytest.fixture
async def stage(make: Make, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    if "kept_databases" in request.fixturenames:
        await empty(request.getfixturevalue("kept_databases")[0])
    made = await make()
    await made.store.claim(Ownership(range=EVERYTHING, epoch=1))
    yield made
    await made.store.close()


async def shipped(store: ShardStore) -> list[list[RecordId]]:
    """The records of each batch there is."""
    last = (await store.progress()).captured
    return [[row.id for row in await rows_of(store, number)] for number in range(1, last + 1)]


@pytest.mark.parametrize("commit", [True, False])
async def test_writer_of_a_held_record_waits_until_it_is_resolved_and_a_reader_does_not(
    stage: Stage, commit: bool
) -> None:
    writer = Writer(stage.store)
    await writer.increment(ONE, TWO)
    rows = await writer.prepare({ONE: visits()})
    await stage.prepare([ONE])
    write = asyncio.create_task(stage.store.write(rows, Cut.EMPTY))
    await stage.somebody_waits()
    assert await visits_of(stage.store, ONE) == 1
    assert (await writer.increment(TWO)).outcomes == [Outcome.DONE]
    assert not write.done()
    await stage.resolve(commit)
    assert (await write).outcomes == [Outcome.DONE]
    assert await visits_of(stage.store, ONE) == 2


async def test_capture_neither_waits_for_an_open_number_nor_skips_what_follows_it(stage: Stage) -> None:
    writer = Writer(stage.store)
    await stage.prepare([])
    await writer.increment(ONE)
    await stage.store.capture()
    await writer.increment(TWO)
    await stage.store.capture()
    await stage.resolve(True)
    assert await shipped(stage.store) == [[ONE], [TWO]]
    empty_one = await stage.store.capture()
    assert empty_one is not None
    assert empty_one.records == 0
    assert await stage.store.capture() is None


async def test_write_that_is_half_done_is_in_no_batch_before_it_commits_and_in_the_next_after(stage: Stage) -> None:
    """It has written one record, has a number, and waits for the other record; meanwhile others go on."""
    writer = Writer(stage.store)
    await writer.increment(TWO)
    await stage.store.capture()
    rows = await writer.prepare({ONE: visits(), TWO: visits()})
    await stage.prepare([TWO])
    write = asyncio.create_task(stage.store.write(rows, Cut.EMPTY))
    await stage.somebody_waits()
    await writer.increment(THREE)
    batch = await stage.store.capture()
    assert batch is not None
    assert not (await stage.store.progress()).pending
    await stage.resolve(True)
    result = await write
    assert (result.outcomes, result.progress.pending) == ([Outcome.DONE, Outcome.DONE], True)
    await stage.store.capture()
    assert await shipped(stage.store) == [[TWO], [THREE], [ONE, TWO]]


@pytest.fixture(params=["simulated", "postgres"])
def make_crashable(request: pytest.FixtureRequest) -> Make:
    if request.param == "simulated":
        bridge: Bridge = request.getfixturevalue("bridge")
        return lambda: simulated(bridge.server(FRANKFURT))
    server: Server = request.getfixturevalue("crashable_server")
    dsn = run_aside(server.create_database("held"))
    return lambda: real(dsn, server)


@pytest.mark.slow
async def test_held_record_is_still_held_after_a_crash_of_the_server(make_crashable: Make) -> None:
    stage = await make_crashable()
    await stage.store.claim(Ownership(range=EVERYTHING, epoch=1))
    writer = Writer(stage.store)
    await writer.increment(ONE)
    await stage.prepare([ONE])
    await stage.crash()
    rows = await writer.prepare({ONE: visits()})
    write = asyncio.create_task(stage.store.write(rows, Cut.EMPTY))
    await stage.somebody_waits()
    assert await stage.store.capture() is not None
    await stage.resolve(True)
    assert (await write).outcomes == [Outcome.DONE]
    await stage.store.close()


async def test_atolls_own_write_cannot_be_prepared(kept_databases: list[str]) -> None:
    """Why the simulator forgets no write: the procedure commits, which no transaction around it allows."""
    store = await open_shard_store(await empty(kept_databases[0]), FRANKFURT, "ring")
    connection = await asyncpg.connect(kept_databases[0])
    call = "call atoll.write(" + ", ".join(["'{}'"] * 10 + ["null"] * 6) + ")"
    await connection.execute(call)
    with pytest.raises(asyncpg.InvalidTransactionTerminationError):
        async with connection.transaction():
            await connection.execute(call)
    await connection.close()
    await store.close()
