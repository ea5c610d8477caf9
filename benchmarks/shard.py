"""One shard beside plain Postgres: group commits against single upserts, replication of rows against a COPY pipe.

Run with ``python benchmarks/shard.py``. Starts one Postgres 18 server, takes turns between the sides, and prints rows
per second with ratios. Both sides flush what they acknowledge.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from io import BytesIO
from itertools import count
from pathlib import Path

import asyncpg

from atoll.bench.plain import PlainPostgres
from atoll.bench.workload import record_key, record_value
from atoll.causality.cut import Cut
from atoll.causality.dot import Dot
from atoll.crdt.codec import encode_record
from atoll.crdt.operations import Put
from atoll.crdt.record import Record
from atoll.crdt.schema import Schema
from atoll.ids import GLOBAL_ZONE, CollectionName, Origin, RecordId, RegionName, ShardName
from atoll.instant import timestamp
from atoll.keyspace.key_range import EVERYTHING
from atoll.keyspace.position import hashed_position
from atoll.ports import Outcome, Ownership, Rows, RowWrite, ShardStore
from atoll.postgres.launcher import ServerSpec, running_servers
from atoll.postgres.shard_store import open_shard_store

ROUNDS = 5
SECONDS = 2.0
GROUP = 64
LANES = 2
CLIENTS = 64
BATCH_ROWS = 5_000
SCHEMA = Schema({})
FRESH = count()


async def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="atoll-bench-") as folder:
        spec = ServerSpec(name="bench", data_directory=Path(folder) / "data")
        async with running_servers([spec]) as (server,):
            here = await open_store(await server.create_database("here"), "here")
            there = await open_store(await server.create_database("there"), "there")
            plain = await PlainPostgres.create(server.dsn(), CLIENTS)
            await compare_writes(here, plain)
            await compare_replication(here, there, server.dsn())
            await plain.close()
            await here.close()
            await there.close()


async def open_store(dsn: str, region: str) -> ShardStore:
    """A shard that owns everything."""
    store = await open_shard_store(dsn, Origin(RegionName(region), ShardName("s1")), "bench")
    await store.claim(Ownership(range=EVERYTHING, epoch=1))
    return store


async def compare_writes(store: ShardStore, plain: PlainPostgres) -> None:
    """New rows: groups of 64 in two lanes, against one upsert a transaction on 64 connections."""
    groups, single = [], []
    for _ in range(ROUNDS):
        groups.append(await rate(lambda: write_group(store), LANES, GROUP))
        single.append(await rate(lambda: upsert(plain), CLIENTS, 1))
    report(f"group commits of {GROUP} in {LANES} lanes", groups, f"single upserts, {CLIENTS} connections", single)


async def compare_replication(here: ShardStore, there: ShardStore, dsn: str) -> None:
    """Batches captured here, read and joined there, against COPY out of a table and into one with a primary key."""
    replicated, copied = [], []
    await drain(here)
    for _ in range(ROUNDS):
        for _ in range(BATCH_ROWS // GROUP):
            await write_group(here)
        replicated.append(await replicate(here, there))
        copied.append(await copy_pipe(dsn))
    report(f"read and join of {BATCH_ROWS:,}-row batches", replicated, "COPY TO | COPY FROM, primary key", copied)


async def rate(step: Callable[[], Awaitable[None]], lanes: int, rows_per_step: int) -> float:
    """Rows per second of ``lanes`` loops of ``step``."""
    end = time.perf_counter() + SECONDS
    steps = 0

    async def loop() -> None:
        nonlocal steps
        while time.perf_counter() < end:
            await step()
            steps += 1

    await asyncio.gather(*(loop() for _ in range(lanes)))
    return steps * rows_per_step / SECONDS


async def write_group(store: ShardStore) -> None:
    """One group of new rows, merged and encoded as the writer does."""
    block = await store.lease_counters(GROUP)
    rows = sorted((row_of(store, counter) for counter in range(block.first, block.last + 1)), key=lambda row: row.id)
    result = await store.write(rows, Cut.EMPTY)
    assert all(outcome is Outcome.DONE for outcome in result.outcomes), "a row was not written"


def row_of(store: ShardStore, counter: int) -> RowWrite:
    """A record of about 200 bytes that was never written before."""
    key = record_key(next(FRESH))
    stamp = timestamp(1_700_000_000_000 + counter)
    record = Record.empty().apply_and_join(
        Put(record_value(key, counter)), Dot(store.identity.actor, counter), stamp, SCHEMA
    )
    context, state = encode_record(record)
    return RowWrite(
        id=RecordId(hashed_position(GLOBAL_ZONE, key), CollectionName("bench"), key),
        previous_context=b"",
        context=context,
        state=state,
        document=record.document(),
        counter=counter,
        timestamp=stamp,
    )


async def upsert(plain: PlainPostgres) -> None:
    """One record in a transaction of its own."""
    key = record_key(next(FRESH))
    await plain.write(key, record_value(key, 0))


async def drain(store: ShardStore) -> int:
    """Capture what is there; the number of the last batch."""
    number = 0
    while (batch := await store.capture()) is not None:
        number = batch.number
    return number


async def replicate(here: ShardStore, there: ShardStore) -> float:
    """Rows per second from the change log of one shard into the records of another."""
    begun = time.perf_counter()
    first = (await there.progress()).applied.at(here.identity.origin)
    last = await drain(here)
    rows = 0
    for batch in await here.batches(first, last):
        payload = b"".join([piece async for piece in here.batch_rows(batch.number, [EVERYTHING])])
        cut = Cut({here.identity.origin: batch.number})
        result = await there.apply(cut, cut, Rows(payload))
        rows += result.inserted + result.overwritten
    return rows / (time.perf_counter() - begun)


async def copy_pipe(dsn: str) -> float:
    """Rows per second of a binary COPY from a table into an empty one with the same primary key."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "create unlogged table if not exists source (key text primary key, value bytea, document jsonb)"
        )
        await connection.execute("truncate source")
        await connection.execute(
            "insert into source select n::text || repeat('k', 8), repeat('s', 250)::bytea, jsonb_build_object('pad', "
            f"repeat('x', 180)) from generate_series(1, {BATCH_ROWS}) n"
        )
        await connection.execute("create table if not exists target (like source including all)")
        await connection.execute("truncate target")
        begun = time.perf_counter()
        pieces: list[bytes] = []

        async def collect(piece: bytes) -> None:
            pieces.append(piece)

        await connection.copy_from_query("select * from source", output=collect, format="binary")
        await connection.copy_to_table("target", source=BytesIO(b"".join(pieces)), format="binary")
        return BATCH_ROWS / (time.perf_counter() - begun)
    finally:
        await connection.close()


def report(ours: str, our_rates: Sequence[float], theirs: str, their_rates: Sequence[float]) -> None:
    """The medians of both sides and their ratio."""
    mine, other = sorted(our_rates)[len(our_rates) // 2], sorted(their_rates)[len(their_rates) // 2]
    print(f"{ours:45} {mine:10,.0f} rows/s")
    print(f"{theirs:45} {other:10,.0f} rows/s")
    print(f"{'ratio':45} {mine / other:10.2f}\n")


if __name__ == "__main__":
    asyncio.run(main())
