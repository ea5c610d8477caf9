"""The :class:`~atoll.ports.ShardStore` over a Postgres database: one round trip and one transaction for each call.

The promises are kept by the SQL in ``migrations/``; this module orders rows, turns columns into values, and tells a
write that did not happen (``Unavailable``) from one that may have (``OutcomeUnknown``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import asyncpg

from atoll import limits
from atoll.causality.cut import Cut
from atoll.errors import InvalidValue, OutcomeUnknown, StaleRoute, Unavailable, UnsafeShard
from atoll.ids import CollectionName, Origin, RecordId, RegionName
from atoll.instant import Timestamp
from atoll.keyspace.key_range import KeyRange
from atoll.ports import (
    ApplyResult,
    Batch,
    CounterBlock,
    Outcome,
    Ownership,
    Progress,
    RangeState,
    ReadResult,
    Rows,
    RowWrite,
    ShardIdentity,
    StoredRecord,
    StoreStatistics,
    WriteResult,
)
from atoll.postgres.cut_columns import ProgressReader, columns_of, cut_of
from atoll.postgres.joining import join_rows, prepare_staging
from atoll.postgres.opening import check_incarnation, prepare_shard
from atoll.postgres.sessions import CONFLICTS, LOST, Address, Pool, Session
from atoll.postgres.streams import stream_batch, stream_range

_LEASE: Final = "update atoll.identity set leased = leased + $1 returning leased"
_READ: Final = """
select r.contexts, r.states, atoll.owners($1) as owners, p.*
from (
    select array_agg(r.context order by q.place) as contexts, array_agg(r.state order by q.place) as states
    from unnest($1::bytea[], $2::text[], $3::text[]) with ordinality as q (position, collection, key, place)
    left join atoll.record r
        on r.position = q.position and r.collection = q.collection and r.key = q.key
) r, atoll.progress() p
"""
_WRITE: Final = """
call atoll.write($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, null, null, null, null, null, null)
"""
_PROGRESS: Final = "select * from atoll.progress()"
_CAPTURE: Final = "select * from atoll.capture()"
_BATCHES: Final = "select * from atoll.batch where number > $1 order by number limit $2"
_ACKNOWLEDGE: Final = """
insert into atoll.acknowledged as a (region, number) values ($1, $2)
on conflict (region) do update set number = excluded.number where a.number < excluded.number
"""
_ACKNOWLEDGED: Final = "select region, number from atoll.acknowledged"
_COLLECT: Final = "select atoll.collect_batches($1) as base"
_COLLECT_LOG: Final = "select atoll.collect_log($1, $2) as deleted"
_OWNERSHIP: Final = "select low, high, epoch, state from atoll.ownership order by low"
_CLAIM: Final = "select atoll.claim($1, $2, $3, $4) as refusal"
_STATISTICS: Final = "select * from atoll.statistics()"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSizes:
    """Connections by purpose. Writes need as many as there are lanes; each is opened when it is first needed."""

    write: int = limits.SHARD_WRITE_CONNECTIONS
    read: int = limits.SHARD_READ_CONNECTIONS
    apply: int = limits.SHARD_APPLY_CONNECTIONS
    stream: int = limits.SHARD_STREAM_CONNECTIONS
    control: int = limits.SHARD_CONTROL_CONNECTIONS


async def open_shard_store(
    dsn: str, origin: Origin, ring: str, *, pools: PoolSizes | None = None
) -> PostgresShardStore:
    """Check the shard's server, migrate its schema, make or check its identity, and open it.

    Raises :class:`~atoll.errors.UnsafeShard` (not durable, not writable, too old, another shard, or a copy of this
    one), :class:`~atoll.errors.SchemaMismatch`, :class:`Unavailable`.
    """
    address = Address(dsn, origin)
    identity = await prepare_shard(address, origin, ring)
    return PostgresShardStore(address, identity, pools or PoolSizes())


class PostgresShardStore:
    """See :class:`~atoll.ports.ShardStore`. Open it with :func:`open_shard_store`."""

    def __init__(self, address: Address, identity: ShardIdentity, pools: PoolSizes) -> None:
        self._address = address
        self._identity = identity
        self._progress = ProgressReader(identity.origin)

        async def prepare(session: Session) -> None:
            try:
                await check_incarnation(session, address, identity.incarnation)
            except UnsafeShard as error:  # to whoever uses an open store, the shard is away until a person mends it
                raise Unavailable(str(error)) from error

        async def prepare_apply(session: Session) -> None:
            await prepare(session)
            await prepare_staging(session)

        self._writes = Pool(address, pools.write, prepare)
        self._reads = Pool(address, pools.read, prepare)
        self._applies = Pool(address, pools.apply, prepare_apply)
        self._streams = Pool(address, pools.stream, prepare)
        self._control = Pool(address, pools.control, prepare)

    @property
    def identity(self) -> ShardIdentity:
        return self._identity

    def __repr__(self) -> str:
        return f"<PostgresShardStore of {self._address}, incarnation {self._identity.incarnation}>"

    # -- records --------------------------------------------------------------------------------------------------

    async def lease_counters(self, count: int) -> CounterBlock:
        assert count >= 1, "a lease is of one counter or more"
        last = (await self._ask(self._control, _LEASE, count))["leased"]
        return CounterBlock(last - count + 1, last)

    async def read(self, ids: Sequence[RecordId]) -> ReadResult:
        if not ids:
            return ReadResult(outcomes=[], records=[], progress=await self.progress())
        positions, collections, keys = map(list, zip(*ids, strict=True))
        row = await self._ask(self._reads, _READ, positions, collections, keys)
        found = zip(row["owners"], row["contexts"], row["states"], strict=True)
        records = [
            StoredRecord(context, state) if owner is not None and context is not None else None
            for owner, context, state in found
        ]
        outcomes = [Outcome.FENCED if owner is None else Outcome.DONE for owner in row["owners"]]
        return ReadResult(outcomes=outcomes, records=records, progress=self._progress.read(row))

    async def write(self, rows: Sequence[RowWrite], dependencies: Cut) -> WriteResult:
        if not rows:
            return WriteResult(outcomes=[], progress=await self.progress())
        order = sorted(range(len(rows)), key=lambda place: rows[place].id)
        row = await self._retrying(lambda: self._write_once([rows[place] for place in order], dependencies))
        outcomes = [Outcome.FENCED] * len(rows)
        for place, outcome in zip(order, row["outcomes"], strict=True):
            outcomes[place] = Outcome(outcome)
        return WriteResult(outcomes=outcomes, progress=self._progress.read(row))

    async def _write_once(self, rows: Sequence[RowWrite], dependencies: Cut) -> asyncpg.Record:
        async with self._writes.session() as session:
            statement = await session.prepare(_WRITE)
            try:
                row = await statement.fetchrow(
                    [row.id.position for row in rows],
                    [row.id.collection for row in rows],
                    [row.id.key for row in rows],
                    [row.previous_context for row in rows],
                    [row.context for row in rows],
                    [row.state for row in rows],
                    [row.document for row in rows],
                    [row.timestamp for row in rows],
                    *columns_of(dependencies),
                )
            except CONFLICTS:
                raise
            except (asyncpg.DataError, ValueError) as error:
                raise InvalidValue(f"Postgres cannot hold a key or document of this write: {error}") from error
            except (asyncpg.PostgresError, *LOST) as error:
                reason = self._address.reason(error)
                raise OutcomeUnknown(f"the connection to {self._address} broke during a write: {reason}") from error
            assert row is not None, "a call answers with one row"
            return row

    async def progress(self) -> Progress:
        return self._progress.read(await self._ask(self._control, _PROGRESS))

    # -- replication ----------------------------------------------------------------------------------------------

    async def capture(self) -> Batch | None:
        rows = await self._ask_all(self._control, _CAPTURE)
        return self._batch(rows[0]) if rows else None

    async def batches(self, after: int, limit: int) -> Sequence[Batch]:
        rows = await self._ask_all(self._control, _BATCHES, max(after, 0), limit)
        return [self._batch(row) for row in rows]

    def batch_rows(self, number: int, allowed: Sequence[KeyRange]) -> AsyncIterator[bytes]:
        return stream_batch(self._streams, str(self._address), number, allowed)

    async def apply(self, begins: Cut, completes: Cut, rows: Rows) -> ApplyResult:
        assert begins.covers(completes), f"{completes} cannot be complete before it has begun: {begins}"

        async def attempt() -> ApplyResult:
            async with self._applies.session() as session:
                return await join_rows(session, begins, completes, rows)

        return await self._retrying(attempt)

    async def acknowledge(self, peer: RegionName, number: int) -> None:
        await self._ask_all(self._control, _ACKNOWLEDGE, peer, number)

    async def acknowledged(self) -> Mapping[RegionName, int]:
        rows = await self._ask_all(self._control, _ACKNOWLEDGED)
        return {RegionName(row["region"]): row["number"] for row in rows}

    async def collect(self, members: Sequence[RegionName]) -> int:
        base = (await self._ask(self._control, _COLLECT, list(members)))["base"]
        deleted = 0
        while some := (await self._ask(self._control, _COLLECT_LOG, base, limits.COLLECT_ROWS))["deleted"]:
            deleted += some
        return deleted

    def _batch(self, row: asyncpg.Record) -> Batch:
        return Batch(
            origin=self._identity.origin,
            incarnation=row["incarnation"],
            number=row["number"],
            dependencies=cut_of(row["origins"], row["numbers"]),
            records=row["records"],
            timestamp=Timestamp(row["timestamp"]),
        )

    # -- ownership and figures ------------------------------------------------------------------------------------

    async def ownership(self) -> Sequence[Ownership]:
        rows = await self._ask_all(self._control, _OWNERSHIP)
        return [
            Ownership(range=KeyRange(row["low"], row["high"]), epoch=row["epoch"], state=RangeState(row["state"]))
            for row in rows
        ]

    async def claim(self, ownership: Ownership) -> None:
        part = ownership.range
        row = await self._ask(self._control, _CLAIM, part.low, part.high, ownership.epoch, ownership.state)
        if row["refusal"] is not None:
            raise StaleRoute(f"{self._address} cannot claim {part} at epoch {ownership.epoch}: {row['refusal']}")

    def scan(
        self, within: KeyRange, collection: CollectionName | None = None
    ) -> AsyncIterator[Sequence[tuple[RecordId, StoredRecord]]]:
        return stream_range(self._streams, within, collection)

    async def statistics(self) -> StoreStatistics:
        return StoreStatistics(**dict(await self._ask(self._control, _STATISTICS)))

    async def close(self) -> None:
        pools = (self._writes, self._reads, self._applies, self._streams, self._control)
        for pool in pools:
            await pool.close()
        for pool in pools:
            pool.terminate()

    # -- one statement --------------------------------------------------------------------------------------------

    async def _ask(self, pool: Pool, sql: str, *arguments: Any) -> asyncpg.Record:
        return (await self._ask_all(pool, sql, *arguments))[0]

    async def _ask_all(self, pool: Pool, sql: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        async def attempt() -> Sequence[asyncpg.Record]:
            async with pool.session() as session:
                return await session.rows(sql, *arguments)

        return await self._retrying(attempt)

    async def _retrying(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Repeat what Postgres ended for the sake of another transaction; it left no trace."""
        for _ in range(limits.SHARD_CONFLICT_ATTEMPTS):
            try:
                return await attempt()
            except CONFLICTS as error:
                last = error
        raise Unavailable(f"{self._address} ended {limits.SHARD_CONFLICT_ATTEMPTS} attempts in conflicts: {last}")
