"""A shard's server crashes or hangs up: what was acknowledged stays, and callers learn what they may think."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from itertools import count

import asyncpg
import pytest
from tests.contracts.records import Writer, record_id, rows_of, visits, visits_of
from tests.fixtures.servers import run_in_main
from tests.integration.postgres.conftest import Connect

from atoll.causality.cut import Cut
from atoll.errors import OutcomeUnknown, Unavailable
from atoll.ids import RecordId
from atoll.keyspace.key_range import EVERYTHING
from atoll.ports import Outcome, Ownership, ShardStore
from atoll.postgres.launcher import Binaries, Server, ServerSpec, start_servers

DEADLINE_SECONDS = 20
_numbers = count(1)


@pytest.fixture(scope="module")
def server(postgres_binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests here, which kill it and start it again: making one takes longest."""
    folder = tmp_path_factory.mktemp("postgres")
    specification = ServerSpec(name="mortal", data_directory=folder / "mortal")
    (started,) = run_in_main(start_servers([specification], postgres_binaries))
    yield started
    if started.is_running:
        run_in_main(started.stop())
    shutil.rmtree(folder)


@pytest.fixture
async def dsn(server: Server) -> str:
    """An empty database on the mortal server, which is running."""
    if not server.is_running:
        await server.start()
    return await server.create_database(f"shard_{next(_numbers)}")


async def lock_row(stranger: asyncpg.Connection, record: RecordId) -> asyncpg.Connection:
    """A stranger's transaction that keeps a record's row locked until its connection ends."""
    await stranger.execute("begin")
    await stranger.execute("select from atoll.record where position = $1 for update", record.position)
    return stranger


async def wait_for_blocked(connection: asyncpg.Connection, kind: str = "%", *, nobody: bool = False) -> None:
    """Return once somebody, or nobody, waits for a lock of that kind."""
    sql = "select exists (select from pg_locks where not granted and locktype like $1)"
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await connection.fetchval(sql, kind) is nobody:  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(0.005)


async def test_acknowledged_writes_survive_a_kill_with_their_log_rows(store: ShardStore, server: Server) -> None:
    acknowledged: dict[RecordId, int] = {}

    async def keep_writing(lane: int) -> None:
        record = record_id(lane)
        for turn in range(1, 1_000):
            if (await Writer(store).increment(record)).outcomes == [Outcome.DONE]:
                acknowledged[record] = turn
                progressed.set()

    progressed = asyncio.Event()
    lanes = [asyncio.create_task(keep_writing(lane)) for lane in range(4)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        while min([acknowledged.get(record_id(lane), 0) for lane in range(4)]) < 5:
            progressed.clear()
            await progressed.wait()
    server.kill()
    endings = await asyncio.gather(*lanes, return_exceptions=True)
    assert all(isinstance(ending, (Unavailable, OutcomeUnknown)) for ending in endings)
    await server.start()
    await store.capture()
    logged = {row.id: row for row in await rows_of(store, 1)}
    for record, turns in acknowledged.items():
        assert await visits_of(store, record) in (turns, turns + 1)
        (held,) = (await store.read([record])).records
        assert held is not None
        assert logged[record].context == held.context


async def test_store_is_unavailable_while_its_server_is_down_and_comes_back_by_itself(
    store: ShardStore, server: Server
) -> None:
    (row,) = await Writer(store).prepare({record_id(1): visits()})
    server.kill()
    for attempt in (
        store.write([row], Cut.EMPTY),
        store.read([record_id(1)]),
        store.capture(),
        store.lease_counters(1),
        store.progress(),
    ):
        with pytest.raises(Unavailable, match=r"could not reach shard s1 of frankfurt at 127\.0\.0\.1:\d+: "):
            await attempt
    await server.start()
    assert (await store.write([row], Cut.EMPTY)).outcomes == [Outcome.DONE]
    assert await visits_of(store, record_id(1)) == 1


async def test_write_that_was_sent_when_the_server_died_is_unknown_and_may_be_repeated(
    store: ShardStore, server: Server, connect: Connect
) -> None:
    await Writer(store).increment(record_id(1))
    rows = await Writer(store).prepare({record_id(1): visits(), record_id(2): visits()})
    await lock_row(await connect(), record_id(1))
    watcher = await connect()
    writing = asyncio.create_task(store.write(rows, Cut.EMPTY))
    await wait_for_blocked(watcher)
    server.kill()
    with pytest.raises(OutcomeUnknown, match="broke during a write"):
        await writing
    await server.start()
    assert (await store.write(rows, Cut.EMPTY)).outcomes == [Outcome.DONE, Outcome.DONE]
    assert await visits_of(store, record_id(1)) == 2


async def test_backend_that_is_terminated_during_a_write_makes_it_unknown_not_failed(
    store: ShardStore, connect: Connect
) -> None:
    await Writer(store).increment(record_id(1))
    rows = await Writer(store).prepare({record_id(1): visits()})
    stranger = await lock_row(await connect(), record_id(1))
    writing = asyncio.create_task(store.write(rows, Cut.EMPTY))
    watcher = await connect()
    await wait_for_blocked(watcher)
    await watcher.execute("select pg_terminate_backend(pid) from pg_locks where not granted")
    with pytest.raises(OutcomeUnknown):
        await writing
    await stranger.close()
    assert (await store.write(rows, Cut.EMPTY)).outcomes == [Outcome.DONE]


async def test_cancelled_write_leaves_nothing_behind_and_the_store_works_on(
    store: ShardStore, connect: Connect
) -> None:
    await Writer(store).increment(record_id(1))
    rows = await Writer(store).prepare({record_id(1): visits(), record_id(2): visits()})
    stranger = await lock_row(await connect(), record_id(1))
    watcher = await connect()
    for _ in range(6):  # more than the pool has connections: each must be given back
        writing = asyncio.create_task(store.write(rows, Cut.EMPTY))
        await wait_for_blocked(watcher)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await wait_for_blocked(watcher, nobody=True)
    await stranger.close()
    assert await visits_of(store, record_id(2)) == 0
    assert (await store.write(rows, Cut.EMPTY)).outcomes == [Outcome.DONE, Outcome.DONE]


async def test_claim_waits_for_the_writes_in_flight_on_its_range_and_fences_the_next(
    store: ShardStore, connect: Connect
) -> None:
    await Writer(store).increment(record_id(1))
    rows = await Writer(store).prepare({record_id(1): visits()})
    stranger = await lock_row(await connect(), record_id(1))
    watcher = await connect()
    writing = asyncio.create_task(store.write(rows, Cut.EMPTY))
    await wait_for_blocked(watcher)
    claiming = asyncio.create_task(store.claim(Ownership(range=EVERYTHING, epoch=2)))
    await wait_for_blocked(watcher, "advisory")
    assert not claiming.done()
    await stranger.close()
    assert (await writing).outcomes == [Outcome.DONE]
    await claiming
    assert [row.epoch for row in await store.ownership()] == [2]


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
async def test_write_that_waited_behind_a_claim_sees_what_the_claim_made(
    store: ShardStore, dsn: str, connect: Connect, isolation: str
) -> None:
    """A range is taken away by hand while a writer waits for its fence: the writer must look again, whatever
    isolation the database gives by default."""
    admin = await connect()
    await admin.execute(f"alter database {dsn.rpartition('/')[2]} set default_transaction_isolation = '{isolation}'")
    rows = await Writer(store).prepare({record_id(1): visits()})
    mover, watcher = [await connect() for _ in range(2)]
    await mover.execute("begin")
    await mover.execute("select pg_advisory_xact_lock(atoll.fence_class(), id) from atoll.ownership")
    await mover.execute("delete from atoll.ownership")
    writing = asyncio.create_task(store.write(rows, Cut.EMPTY))
    await wait_for_blocked(watcher)
    await mover.execute("commit")
    assert (await writing).outcomes == [Outcome.FENCED]


async def test_server_that_restarts_between_calls_is_not_noticed(store: ShardStore, server: Server) -> None:
    await Writer(store).increment(record_id(1))
    await server.stop()
    await server.start()
    await Writer(store).increment(record_id(1))
    assert await visits_of(store, record_id(1)) == 2
