"""The shard's store of one simulated process: the production store's calls, connections and errors, without SQL.

Mirrors :mod:`atoll.postgres.shard_store`: the same pools, the same bounds of patience, one statement a call but for
an apply, which begins, joins and commits in turns. A write whose connection fails once it was asked is
:class:`OutcomeUnknown`, whatever the reason; everything else is :class:`Unavailable`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from atoll import limits
from atoll.causality.cut import Cut
from atoll.errors import InvalidValue, OutcomeUnknown, Unavailable, UnsafeShard
from atoll.ids import CollectionName, Origin, RecordId, RegionName, actor_of
from atoll.keyspace.key_range import KeyRange
from atoll.ports import (
    ApplyResult,
    Batch,
    CounterBlock,
    Outcome,
    Ownership,
    Progress,
    ReadResult,
    Rows,
    RowWrite,
    ShardIdentity,
    StoredRecord,
    StoreStatistics,
    WriteResult,
)
from atoll.simulation.loop.hosts import Host
from atoll.simulation.storage import reading, statements
from atoll.simulation.storage.backend import Statement
from atoll.simulation.storage.connection import Connection, Pool
from atoll.simulation.storage.database import Database
from atoll.simulation.storage.steps import ConnectionLost, Refused

T = TypeVar("T")

_FAILURES = (ConnectionLost, Refused, TimeoutError)


async def open_simulated_store(database: Database, client: Host) -> SimulatedShardStore:
    """Connect and make sure of the shard. Raises :class:`~atoll.errors.UnsafeShard`, :class:`Unavailable`."""
    connection = await _connect(database, client)
    connection.close()
    shard = database.content.shard
    identity = ShardIdentity(
        origin=shard.origin,
        incarnation=shard.incarnation,
        actor=actor_of(shard.origin, shard.incarnation),
        birth=shard.birth,
    )
    return SimulatedShardStore(database, client, identity)


async def _connect(database: Database, client: Host) -> Connection:
    connection = Connection(database, client)
    try:
        await connection.open(database.check_history, limits.SHARD_CONNECT_SECONDS_MAX)
    except _FAILURES as error:
        raise _unavailable(database.origin, error) from error
    return connection


async def _connect_again(database: Database, client: Host) -> Connection:
    """To whoever uses an open store, a server with another history is away, until a person mends it."""
    try:
        return await _connect(database, client)
    except UnsafeShard as error:
        raise Unavailable(str(error)) from error


def _unavailable(origin: Origin, error: BaseException) -> Unavailable:
    verb = "use" if isinstance(error, Refused) else "reach"
    return Unavailable(f"could not {verb} shard {origin.shard} of {origin.region}: {error}")


class SimulatedShardStore:
    """See :class:`~atoll.ports.ShardStore`. Made by :func:`open_simulated_store`; lives in one process."""

    def __init__(self, database: Database, client: Host, identity: ShardIdentity) -> None:
        self._database = database
        self._identity = identity

        def pool(size: int) -> Pool:
            return Pool(f"the store of {identity.origin}", size, partial(_connect_again, database, client))

        self._writes = pool(limits.SHARD_WRITE_CONNECTIONS)
        self._reads = pool(limits.SHARD_READ_CONNECTIONS)
        self._applies = pool(limits.SHARD_APPLY_CONNECTIONS)
        self._streams = pool(limits.SHARD_STREAM_CONNECTIONS)
        self._control = pool(limits.SHARD_CONTROL_CONNECTIONS)

    @property
    def identity(self) -> ShardIdentity:
        return self._identity

    # -- records --------------------------------------------------------------------------------------------------

    async def lease_counters(self, count: int) -> CounterBlock:
        assert count >= 1, "a lease is of one counter or more"
        block: CounterBlock = await self._ask(self._control, partial(statements.lease, count))
        return block

    async def read(self, ids: Sequence[RecordId]) -> ReadResult:
        if not ids:
            return ReadResult(outcomes=[], records=[], progress=await self.progress())
        result: ReadResult = await self._ask(self._reads, partial(reading.read, ids))
        return result

    async def write(self, rows: Sequence[RowWrite], dependencies: Cut) -> WriteResult:
        assert len({row.id for row in rows}) == len(rows), "the rows of a write are distinct records"
        if not rows:
            return WriteResult(outcomes=[], progress=await self.progress())
        if any("\0" in row.id.key for row in rows):
            raise InvalidValue("Postgres cannot hold a key with U+0000")
        order = sorted(range(len(rows)), key=lambda place: rows[place].id)
        statement = partial(statements.write, [rows[place] for place in order], dependencies)

        async def attempt(connection: Connection) -> WriteResult:
            try:
                answer: WriteResult = await connection.ask(statement, limits.SHARD_STATEMENT_SECONDS_MAX)
            except _FAILURES as error:
                raise OutcomeUnknown(
                    f"the connection to shard {self._identity.origin} broke during a write: {error}"
                ) from error
            return answer

        found = await self._within(self._writes, attempt)
        outcomes = [Outcome.FENCED] * len(rows)
        for place, outcome in zip(order, found.outcomes, strict=True):
            outcomes[place] = outcome
        return WriteResult(outcomes=outcomes, progress=found.progress)

    async def progress(self) -> Progress:
        progress: Progress = await self._ask(self._control, reading.progress)
        return progress

    # -- replication ----------------------------------------------------------------------------------------------

    async def capture(self) -> Batch | None:
        batch: Batch | None = await self._ask(self._control, statements.capture)
        return batch

    async def batches(self, after: int, limit: int) -> Sequence[Batch]:
        found: Sequence[Batch] = await self._ask(self._control, partial(reading.batches, after, limit))
        return found

    async def batch_rows(self, number: int, allowed: Sequence[KeyRange]) -> AsyncIterator[bytes]:
        if not allowed:
            return
        rows: bytes = await self._ask(
            self._streams, partial(reading.batch_rows, number, allowed), limits.SHARD_STREAM_SECONDS_MAX
        )
        for start in range(0, len(rows), limits.FRAME_BYTES):
            yield rows[start : start + limits.FRAME_BYTES]

    async def apply(self, begins: Cut, completes: Cut, rows: Rows) -> ApplyResult:
        assert begins.covers(completes), f"{completes} cannot be complete before it has begun: {begins}"
        if not rows:
            moved: ApplyResult = await self._ask(self._applies, partial(statements.move_cuts, begins, completes))
            return moved
        staging = partial(statements.stage_and_join, begins, completes, rows)

        async def attempt(connection: Connection) -> ApplyResult:
            seconds = limits.SHARD_STATEMENT_SECONDS_MAX
            result: ApplyResult = await connection.ask(staging, seconds, stays_open=True)
            await connection.ask(statements.roll_back if result.fenced else statements.commit_staged, seconds)
            return result

        return await self._within(self._applies, attempt)

    async def acknowledge(self, peer: RegionName, number: int) -> None:
        await self._ask(self._control, partial(statements.acknowledge, peer, number))

    async def acknowledged(self) -> Mapping[RegionName, int]:
        noted: Mapping[RegionName, int] = await self._ask(self._control, reading.acknowledged)
        return noted

    async def collect(self, members: Sequence[RegionName]) -> int:
        base: int = await self._ask(self._control, partial(statements.collect_batches, members))
        deleted = 0
        while some := await self._ask(self._control, partial(statements.collect_log, base)):
            deleted += some
        return deleted

    # -- ownership and figures ------------------------------------------------------------------------------------

    async def ownership(self) -> Sequence[Ownership]:
        rows: Sequence[Ownership] = await self._ask(self._control, reading.ownership)
        return rows

    async def claim(self, ownership: Ownership) -> None:
        await self._ask(self._control, partial(statements.claim, ownership))

    async def scan(
        self, within: KeyRange, collection: CollectionName | None = None
    ) -> AsyncIterator[Sequence[tuple[RecordId, StoredRecord]]]:
        rows = await self._ask(self._streams, partial(reading.scan, within, collection))
        for start in range(0, len(rows), limits.SHARD_SCAN_ROWS):
            yield rows[start : start + limits.SHARD_SCAN_ROWS]

    async def statistics(self) -> StoreStatistics:
        figures: StoreStatistics = await self._ask(self._control, reading.statistics)
        return figures

    async def close(self) -> None:
        for pool in (self._writes, self._reads, self._applies, self._streams, self._control):
            pool.close()

    # -- one call -------------------------------------------------------------------------------------------------

    async def _ask(
        self, pool: Pool, statement: Statement, seconds: float = limits.SHARD_STATEMENT_SECONDS_MAX
    ) -> Any:
        try:
            return await pool.ask(statement, seconds)
        except _FAILURES as error:
            raise _unavailable(self._identity.origin, error) from error

    async def _within(self, pool: Pool, attempt: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            return await pool.within(attempt)
        except _FAILURES as error:
            raise _unavailable(self._identity.origin, error) from error
