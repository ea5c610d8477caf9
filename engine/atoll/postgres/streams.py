"""What leaves a shard in bulk: the rows of a batch as COPY bytes, and scans of a range."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import asyncpg

from atoll import limits
from atoll.errors import Unavailable
from atoll.ids import CollectionName, RecordId
from atoll.keyspace.key_range import KeyRange
from atoll.ports import StoredRecord
from atoll.postgres.sessions import Pool, Session
from atoll.replication import rows as wire

# The rows that snapshot n sees and snapshot n - 1 did not: those at or above its predecessor's xmax, and those that
# were in progress for it. Changes of one record collapse to the last state on the first previous context, unless a
# delta is among them.
_BATCH = """
with changed as (
    select l.* from atoll.change_log l
    where l.xid >= pg_snapshot_xmax((select atoll.boundary({number} - 1)))
        and l.xid < pg_snapshot_xmax((select atoll.boundary({number})))
        and pg_visible_in_snapshot(l.xid, (select atoll.boundary({number})))
    union all
    select l.* from pg_snapshot_xip((select atoll.boundary({number} - 1))) x
        join atoll.change_log l on l.xid = x
    where pg_visible_in_snapshot(l.xid, (select atoll.boundary({number})))
)
select position, collection, key, previous_context, context, state, document, complete
from (
    select position, collection, key,
        case when whole then first_value(previous_context) over o else previous_context end as previous_context,
        context, state, document, complete, ordinal, whole, lead(ordinal) over o is null as is_last
    from (
        select *, bool_and(complete) over (partition by position, collection, key) as whole
        from changed where {allowed}
    ) c
    window o as (partition by position, collection, key order by ordinal)
) d
where is_last or not whole
order by position, collection, key, ordinal
"""
"""Numbers and ranges stand in the text, since COPY takes no parameters; both are written as digits alone."""

_SCAN = """
select position, collection, key, context, state from atoll.record
where position >= $1 and ($2::bytea is null or position < $2) and ($3::text is null or collection = $3)
order by position, collection, key
"""


async def stream_batch(pool: Pool, where: str, number: int, allowed: Sequence[KeyRange]) -> AsyncIterator[bytes]:
    """See :meth:`~atoll.ports.ShardStore.batch_rows`. Raises :class:`Unavailable` when the batch was collected."""
    if not allowed:
        return
    statement = _BATCH.format(number=int(number), allowed=" or ".join(map(_within, allowed)))
    async with pool.session() as session:
        try:
            async with aclosing(_copied(session, statement)) as pieces:
                async for piece in pieces:
                    yield piece
        except asyncpg.NoDataFoundError as error:
            raise Unavailable(f"batch {number} of {where} was collected, or not yet captured") from error


async def stream_range(
    pool: Pool, within: KeyRange, collection: CollectionName | None
) -> AsyncIterator[Sequence[tuple[RecordId, StoredRecord]]]:
    """See :meth:`~atoll.ports.ShardStore.scan`."""
    async with pool.session() as session, session.connection.transaction(readonly=True):
        cursor = await session.connection.cursor(_SCAN, within.low, within.high, collection)
        while rows := await cursor.fetch(limits.SHARD_SCAN_ROWS):
            yield [(RecordId(*row[:3]), StoredRecord(*row[3:])) for row in rows]


def _within(part: KeyRange) -> str:
    low = f"position >= decode('{part.low.hex()}', 'hex')"
    return f"({low})" if part.high is None else f"({low} and position < decode('{part.high.hex()}', 'hex'))"


async def _copied(session: Session, statement: str) -> AsyncGenerator[bytes, None]:
    """The output of a COPY without its header and trailer. Postgres waits when the consumer is slow."""
    pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(limits.SHARD_STREAM_PIECES)

    async def take(piece: bytes | bytearray | memoryview) -> None:
        await pieces.put(bytes(piece))

    async def produce() -> None:
        ending: Exception | None = None
        try:
            await session.connection.copy_from_query(
                statement, output=take, format="binary", timeout=limits.SHARD_STREAM_SECONDS_MAX
            )
        except Exception as error:  # handed to the consumer, who raises it
            ending = error
        await pieces.put(ending)

    producer = asyncio.create_task(produce())
    try:
        held = b""
        to_skip = len(wire.HEADER)
        while isinstance(piece := await pieces.get(), bytes):
            held += piece[to_skip:]
            to_skip = max(0, to_skip - len(piece))
            if len(held) > limits.FRAME_BYTES:
                held, whole = held[-len(wire.TRAILER) :], held[: -len(wire.TRAILER)]
                yield whole
        if piece is not None:
            raise piece
        if len(held) > len(wire.TRAILER):
            yield held[: -len(wire.TRAILER)]
    finally:
        producer.cancel()
        await asyncio.gather(producer, return_exceptions=True)
