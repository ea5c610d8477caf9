"""Joins remote rows into a shard: staged by COPY, joined as bytes by SQL, and only what both sides changed by the
merge code (promise I4: the cut moves in the same transaction)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple

import asyncpg

from atoll.causality.cut import Cut
from atoll.crdt.codec import Encoded, Merged, merge_bytes
from atoll.errors import CorruptFrame
from atoll.ids import RecordId
from atoll.limits import FRAME_BYTES, MERGES_PER_TURN
from atoll.ports import ApplyResult, Rows
from atoll.postgres.cut_columns import columns_of_both
from atoll.postgres.sessions import Session
from atoll.replication import rows as wire

_STAGING = """
create temporary table if not exists staged (
    position bytea not null, collection text collate "C" not null, key text collate "C" not null,
    previous_context bytea not null, context bytea not null, state bytea not null, document jsonb,
    complete boolean not null, single boolean not null default true
) on commit delete rows
"""
_ADVANCE = "select atoll.advance($1, $2, $3)"
_JOIN = "select * from atoll.join_staged($1, $2, $3)"
_WRITE_BACK = "select atoll.write_merged($1, $2, $3, $4, $5, $6)"


async def prepare_staging(session: Session) -> None:
    """Make the staging table of a new session; it is empty outside a transaction."""
    await session.connection.execute(_STAGING)


async def join_rows(session: Session, begins: Cut, completes: Cut, rows: Rows) -> ApplyResult:
    """One attempt at :meth:`~atoll.ports.ShardStore.apply`; raises asyncpg's errors, :class:`CorruptFrame` for rows
    that Postgres refuses to read."""
    cuts = columns_of_both(begins, completes)
    if not rows:
        await session.row(_ADVANCE, *cuts)
        return ApplyResult(inserted=0, overwritten=0, merged=0, unchanged=0)
    await session.connection.execute("begin")
    await _stage(session, rows)
    joined = await session.row(_JOIN, *cuts)
    if joined["fenced_positions"]:
        await session.connection.execute("rollback")
        return ApplyResult(inserted=0, overwritten=0, merged=0, unchanged=0, fenced=_fenced(joined))
    merged = await _merge(session, joined) if joined["positions"] else 0
    await session.connection.execute("commit")
    handled = joined["inserted"] + joined["overwritten"] + merged
    return ApplyResult(
        inserted=joined["inserted"],
        overwritten=joined["overwritten"],
        merged=merged,
        unchanged=joined["records"] - handled,
    )


async def _stage(session: Session, rows: Rows) -> None:
    try:
        await session.connection.copy_to_table(
            "staged", source=_copy_stream(rows), columns=wire.COLUMNS, format="binary"
        )
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise CorruptFrame(f"rows of a peer do not decode: {error}") from error


async def _copy_stream(rows: bytes) -> AsyncIterator[bytes]:
    yield wire.HEADER
    for start in range(0, len(rows), FRAME_BYTES):
        yield rows[start : start + FRAME_BYTES]
    yield wire.TRAILER


async def _merge(session: Session, joined: asyncpg.Record) -> int:
    """Join what bytes alone could not; returns how many records that had been here before were changed."""
    changed: list[tuple[_Contested, Merged]] = []
    for number, record in enumerate(_contested(joined), 1):
        merged = merge_bytes(record.local, *record.incoming)
        if record.is_new or (merged.context, merged.state) != record.local:
            changed.append((record, merged))
        if number % MERGES_PER_TURN == 0:
            await asyncio.sleep(0)
    if changed:
        await session.row(
            _WRITE_BACK,
            [record.id.position for record, _ in changed],
            [record.id.collection for record, _ in changed],
            [record.id.key for record, _ in changed],
            [merged.context for _, merged in changed],
            [merged.state for _, merged in changed],
            [merged.document for _, merged in changed],
        )
    return sum(not record.is_new for record, _ in changed)


class _Contested(NamedTuple):
    """A record that bytes alone could not join: what is here, and what arrived."""

    id: RecordId
    local: Encoded
    is_new: bool
    """The local row was inserted a moment ago, by this very chunk."""
    incoming: list[Encoded]


def _contested(joined: asyncpg.Record) -> Iterator[_Contested]:
    """The rows left over, which come in the order of their records, one group a record."""
    current: _Contested | None = None
    names = zip(joined["positions"], joined["collections"], joined["keys"], strict=True)
    local = zip(joined["local_contexts"], joined["local_states"], joined["are_new"], strict=True)
    incoming = zip(joined["contexts"], joined["states"], strict=True)
    for name, (context, state, is_new), arrived in zip(names, local, incoming, strict=True):
        if current is None or current.id != name:
            if current is not None:
                yield current
            current = _Contested(RecordId(*name), (context, state), is_new, [])
        current.incoming.append(arrived)
    if current is not None:
        yield current


def _fenced(joined: asyncpg.Record) -> Sequence[RecordId]:
    names = zip(joined["fenced_positions"], joined["fenced_collections"], joined["fenced_keys"], strict=True)
    return [RecordId(*name) for name in names]
