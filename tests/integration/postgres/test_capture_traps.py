"""What a reader of a Postgres change log must survive, each beside the obvious reader that does not (promise I5).

Transactions are held open by hand: each connection logs a change exactly as ``atoll.write`` does, without its commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest
from tests.contracts.records import FRANKFURT, Writer, capture_all, collected, record_id, rows_of

from atoll.causality.cut import Cut
from atoll.ids import RecordId
from atoll.keyspace.key_range import EVERYTHING
from atoll.ports import Ownership, ShardStore
from atoll.postgres.launcher import Server
from atoll.postgres.shard_store import open_shard_store
from atoll.replication.rows import decode_rows

LOG = """
insert into atoll.change_log (position, collection, key, previous_context, context, state, timestamp)
values ($1, $2, $3, '', $4, '', 0)
"""
BY_ORDINAL = "select key, ordinal as cursor from atoll.change_log where ordinal > $1 order by ordinal"
BELOW_HORIZON = """
select key, ordinal as cursor from atoll.change_log
where xid < pg_snapshot_xmin(pg_current_snapshot()) and ordinal > $1 order by xid, ordinal
"""


class Shard:
    """A store, its database, and connections that are closed after the test."""

    def __init__(self, dsn: str, store: ShardStore, exits: AsyncExitStack) -> None:
        self.dsn = dsn
        self.store = store
        self._exits = exits

    async def connect(self, dsn: str | None = None) -> asyncpg.Connection:
        connection = await asyncpg.connect(dsn or self.dsn)
        self._exits.callback(connection.terminate)
        return connection

    async def captured(self) -> list[str]:
        """The keys in the next batch, in the order of the records."""
        batch = await self.store.capture()
        return [] if batch is None else [row.id.key for row in await rows_of(self.store, batch.number)]

    async def everything_captured(self) -> list[str]:
        """The keys of all batches there are, once for each batch they are in."""
        last = await capture_all(self.store)
        return [row.id.key for number in range(1, last + 1) for row in await rows_of(self.store, number)]


@pytest.fixture
async def shard(fresh_database: Callable[[], str]) -> AsyncIterator[Shard]:
    async with shard_on(await asyncio.to_thread(fresh_database)) as found:
        yield found


@asynccontextmanager
async def shard_on(dsn: str) -> AsyncIterator[Shard]:
    async with AsyncExitStack() as exits:
        store = await open_shard_store(dsn, FRANKFURT, "ring")
        exits.push_async_callback(store.close)
        await store.claim(Ownership(range=EVERYTHING, epoch=1))
        yield Shard(dsn, store, exits)


async def log(connection: asyncpg.Connection, record: RecordId, context: bytes = b"c") -> None:
    await connection.execute(LOG, *record, context)


class NaiveReader:
    """Polls with a cursor, as most outbox readers do."""

    def __init__(self, connection: asyncpg.Connection, sql: str) -> None:
        self._connection = connection
        self._sql = sql
        self._cursor = 0

    async def poll(self) -> list[str]:
        rows = await self._connection.fetch(self._sql, self._cursor)
        self._cursor = max([self._cursor, *(row["cursor"] for row in rows)])
        return [row["key"] for row in rows]


async def test_transactions_that_commit_out_of_order_are_all_captured(shard: Shard) -> None:
    slow, quick = await shard.connect(), await shard.connect()
    naive = NaiveReader(await shard.connect(), BY_ORDINAL)
    await slow.execute("begin")
    await log(slow, record_id(1))
    await log(quick, record_id(2))
    assert await naive.poll() == ["k2"]
    assert await shard.captured() == ["k2"]
    await slow.execute("commit")
    assert await naive.poll() == [], "the reader by sequence has lost a committed change"
    assert await shard.captured() == ["k1"]
    assert sorted(await shard.everything_captured()) == ["k1", "k2"]


async def test_rolled_back_changes_are_never_captured_and_hide_nothing(shard: Shard) -> None:
    doomed, other = await shard.connect(), await shard.connect()
    await doomed.execute("begin")
    await log(doomed, record_id(1))
    await log(other, record_id(2))
    assert await shard.captured() == ["k2"]
    await doomed.execute("rollback")
    await log(other, record_id(3))
    assert await shard.everything_captured() == ["k2", "k3"]


async def test_idle_transaction_in_another_database_stalls_nothing(
    shard: Shard, fresh_database: Callable[[], str]
) -> None:
    elsewhere = await shard.connect(await asyncio.to_thread(fresh_database))
    await elsewhere.execute("begin; select pg_current_xact_id()")
    naive = NaiveReader(await shard.connect(), BELOW_HORIZON)
    await Writer(shard.store).increment(record_id(1))
    assert await naive.poll() == [], "the reader below the horizon waits for a stranger"
    assert await shard.captured() == ["k1"]
    assert not (await shard.store.progress()).pending


async def test_idle_transaction_of_the_shard_stalls_neither_capture_nor_collection(shard: Shard) -> None:
    idle = await shard.connect()
    await idle.execute("begin")
    await log(idle, record_id(9))
    for number in range(3):
        await Writer(shard.store).increment(record_id(number))
        assert await shard.captured() == [f"k{number}"]
    assert await shard.store.collect([]) == 3
    await idle.execute("commit")
    assert await shard.captured() == ["k9"]


async def test_effect_is_never_in_an_earlier_batch_than_its_cause(shard: Shard) -> None:
    """The effect's transaction is older than its cause's, and a third, open one lies between them."""
    effect, between, cause = [await shard.connect() for _ in range(3)]
    naive = NaiveReader(await shard.connect(), BELOW_HORIZON)
    for connection in (effect, between, cause):
        await connection.execute("begin; select pg_current_xact_id()")
    await log(cause, record_id(1))
    await cause.execute("commit")
    await log(effect, record_id(2))
    await effect.execute("commit")
    assert await naive.poll() == ["k2"], "the reader below the horizon shows the effect without the cause"
    assert await shard.captured() == ["k1", "k2"]


async def test_savepoints_count_as_their_transaction(shard: Shard) -> None:
    connection = await shard.connect()
    await connection.execute("begin")
    await log(connection, record_id(1))
    await connection.execute("savepoint kept")
    await log(connection, record_id(2))
    await connection.execute("release kept; savepoint dropped")
    await log(connection, record_id(3))
    await connection.execute("rollback to dropped")
    assert await shard.captured() == []
    await connection.execute("commit")
    assert await shard.captured() == ["k1", "k2"]


async def test_prepared_transaction_is_captured_once_it_commits(shard: Shard) -> None:
    connection = await shard.connect()
    await connection.execute("begin")
    await log(connection, record_id(1))
    await connection.execute("prepare transaction 'held'")
    await log(connection, record_id(2))
    assert await shard.captured() == ["k2"]
    assert await shard.captured() == []
    await connection.execute("commit prepared 'held'")
    assert await shard.everything_captured() == ["k2", "k1"]


async def test_order_within_a_batch_is_that_of_the_row_lock_not_of_the_transactions(shard: Shard) -> None:
    older, younger = await shard.connect(), await shard.connect()
    for connection in (older, younger):
        await connection.execute("begin; select pg_current_xact_id()")
    await log(younger, record_id(1), b"first")
    await younger.execute("commit")
    await log(older, record_id(1), b"second")
    await older.execute("commit")
    by_xid = await older.fetchval("select context from atoll.change_log order by xid desc limit 1")
    assert by_xid == b"first", "by transaction id the order is inverted"
    await shard.store.capture()
    (row,) = await rows_of(shard.store, 1)
    assert row.context == b"second"


async def test_second_capturer_steps_back_and_the_next_capture_goes_on(shard: Shard) -> None:
    first = await shard.connect()
    await Writer(shard.store).increment(record_id(1))
    await first.execute("begin")
    assert await first.fetchval("select number from atoll.capture()") == 1
    assert await shard.store.capture() is None
    assert (await shard.store.progress()).captured == 0
    await first.execute("commit")
    assert [batch.number for batch in await shard.store.batches(0, 10)] == [1]
    assert await shard.captured() == []
    assert (await shard.store.progress()).captured == 2


async def test_content_of_a_batch_stays_while_older_transactions_commit(shard: Shard) -> None:
    late = await shard.connect()
    await late.execute("begin")
    await log(late, record_id(7))
    await Writer(shard.store).increment(record_id(1))
    await shard.store.capture()
    before = await collected(shard.store.batch_rows(1, (EVERYTHING,)))
    await late.execute("commit")
    await capture_all(shard.store)
    assert await collected(shard.store.batch_rows(1, (EVERYTHING,))) == before
    assert [row.id.key for row in decode_rows(before)] == ["k1"]


async def test_transaction_ids_that_a_crash_gives_out_again_hide_nothing(crashable_server: Server) -> None:
    """Rolled-back transactions leave nothing in the flushed log: after a crash their ids are given out again."""
    dsn = await crashable_server.create_database("shard")
    async with shard_on(dsn) as shard:
        admin = await shard.connect()
        await admin.execute("alter system set wal_writer_delay = '10s'")
        await admin.execute("select pg_reload_conf()")
        await Writer(shard.store).increment(record_id(1))
        await _five_rollbacks(admin)
        naive_cursor = await admin.fetchval("select pg_current_snapshot()::text")
        crashable_server.kill()
    await crashable_server.start()
    async with shard_on(crashable_server.dsn("shard")) as shard:
        admin = await shard.connect()
        await log(admin, record_id(2))
        assert await _is_hidden(admin, naive_cursor, "k2"), "a cursor kept elsewhere takes it for an old one"
        assert await shard.captured() == ["k1", "k2"]
        await _five_rollbacks(admin)
        await log(admin, record_id(3))
        await _five_rollbacks(admin)
        assert await shard.captured() == ["k3"]
        crashable_server.kill()
    await crashable_server.start()
    async with shard_on(crashable_server.dsn("shard")) as shard:
        await log(await shard.connect(), record_id(4))
        assert await shard.captured() == ["k4"]
        assert await shard.everything_captured() == ["k1", "k2", "k3", "k4"]


async def _five_rollbacks(connection: asyncpg.Connection) -> None:
    for _ in range(5):
        await connection.execute("begin; select pg_current_xact_id(); rollback")


async def _is_hidden(connection: asyncpg.Connection, cursor: str, key: str) -> bool:
    sql = "select pg_visible_in_snapshot(xid, $1::text::pg_snapshot) from atoll.change_log where key = $2"
    return bool(await connection.fetchval(sql, cursor, key))


async def test_captured_batch_survives_an_immediate_crash(crashable_server: Server) -> None:
    dsn = await crashable_server.create_database("shard")
    async with shard_on(dsn) as shard:
        await Writer(shard.store, dependencies=Cut.EMPTY).increment(record_id(1), record_id(2))
        batch = await shard.store.capture()
        crashable_server.kill()
    await crashable_server.start()
    async with shard_on(crashable_server.dsn("shard")) as shard:
        assert await shard.store.batches(0, 10) == [batch]
        assert [row.id for row in await rows_of(shard.store, 1)] == [record_id(1), record_id(2)]
