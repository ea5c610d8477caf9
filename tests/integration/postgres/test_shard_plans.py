"""The store's statements find rows by key from the first row on: no plan that was right for an empty table survives
into a full one, and what an old open transaction leaves behind is not read again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import pytest
from tests.contracts.records import TOKYO, capture_all, record_id, rows_of
from tests.integration.postgres.conftest import Connect

from atoll.causality.cut import Cut
from atoll.instant import Timestamp
from atoll.keyspace.key_range import EVERYTHING
from atoll.ports import Rows, RowWrite, ShardStore
from atoll.replication.rows import Row, encode_rows

GROUP = 250
SCANNED = """
select relname, seq_tup_read from pg_stat_user_tables
where schemaname = 'atoll' and relname in ('record', 'change_log', 'dependency') and seq_tup_read > 0
"""
OTHERS = "select count(*) from pg_stat_activity where application_name = 'atoll' and datname = current_database()"


def group(start: int, turn: int) -> list[RowWrite]:
    """Rows of ``GROUP`` records that were written ``turn`` times before."""
    return [
        RowWrite(
            id=record_id(start + number),
            previous_context=b"c%d" % turn if turn else b"",
            context=b"c%d" % (turn + 1),
            state=b"state",
            document=b'{"n":1}',
            counter=1,
            timestamp=Timestamp(1),
        )
        for number in range(GROUP)
    ]


async def use_everything(store: ShardStore) -> None:
    """All calls of the hot paths while the tables grow from empty."""
    for start in range(0, 10 * GROUP, GROUP):
        for turn in range(2):
            await store.write(group(start, turn), Cut({TOKYO: 1}))
        await store.read([record_id(start + number) for number in range(GROUP)])
        batch = await store.capture()
        assert batch is not None
        await rows_of(store, batch.number)
        rows = [Row(record_id(start + n), b"c2", b"c3", b"state", None, True) for n in range(GROUP)]
        await store.apply(Cut({TOKYO: start + 1}), Cut({TOKYO: start + 1}), Rows(encode_rows(rows)))
    await store.collect([])
    async for _ in store.scan(EVERYTHING):
        pass


@pytest.fixture
async def dsn(fresh_database: Callable[[], str]) -> str:
    return await asyncio.to_thread(fresh_database)


async def test_no_hot_statement_ever_reads_a_whole_table(store: ShardStore, connect: Connect) -> None:
    await use_everything(store)
    await store.close()
    admin = await connect()
    async with asyncio.timeout(20):
        while await admin.fetchval(OTHERS):  # noqa: ASYNC110 - backends report their figures as they end
            await asyncio.sleep(0.01)
    assert [tuple(row) for row in await admin.fetch(SCANNED)] == []


async def test_old_open_transaction_does_not_make_progress_dearer(store: ShardStore, connect: Connect) -> None:
    idle, admin = await connect(), await connect()
    await idle.execute("begin; select pg_current_xact_id()")
    before = await _buffers_of_progress(admin)
    for turn in range(12):
        await store.write(group(0, turn), Cut.EMPTY)
    await capture_all(store)
    after = await _buffers_of_progress(admin)
    assert after <= before + 20, "log rows above the oldest transaction are read one by one"


async def _buffers_of_progress(connection: asyncpg.Connection) -> int:
    """Pages that asking for the progress touches, once its plans are made."""
    await connection.execute("set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off")
    for _ in range(2):
        lines = await connection.fetch("explain (analyze, buffers, costs off) select * from atoll.progress()")
    text = next(line[0] for line in lines if "Buffers: " in line[0])
    return sum(int(part.partition("=")[2]) for part in text.split() if part.startswith(("hit=", "read=")))
