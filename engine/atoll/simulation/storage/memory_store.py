"""A shard in memory: the :class:`~atoll.ports.ShardStore` contract without Postgres, for simulations and tests.

:class:`~atoll.simulation.storage.memory_shard.MemoryShard` is what survives a crash of its users; any number of
:class:`MemoryShardStore` may be open on it at once, as several nodes are on one database. Nothing here draws a number
or reads a clock: calls take effect in the order they are made, unless a :data:`Disturbance` makes them wait or fail.
One contract suite runs over this and over the real thing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from enum import Enum
from types import coroutine

from atoll.causality.cut import Cut
from atoll.errors import InvalidValue, Unavailable
from atoll.ids import CollectionName, Origin, RecordId, RegionName, actor_of
from atoll.keyspace.key_range import KeyRange
from atoll.limits import FRAME_BYTES, SHARD_SCAN_ROWS
from atoll.ports import (
    ApplyResult,
    Batch,
    CounterBlock,
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
from atoll.replication.rows import decode_rows
from atoll.simulation.storage.memory_shard import MemoryShard


class Phase(Enum):
    """When a disturbance is asked: before a call takes effect, or after it did and before the caller hears of it."""

    BEFORE = "before"
    AFTER = "after"


Disturbance = Callable[[str, Phase], Awaitable[None]]
"""Awaited with the name of each method at both phases. It may wait (a write that waits ``BEFORE`` is an open
transaction, numbered but not committed) or raise what the port allows at that phase."""


@coroutine
def _one_turn() -> Generator[None, None, None]:
    """Let the event loop run what else is ready."""
    yield


async def undisturbed(_method: str, _phase: Phase) -> None:
    """The disturbance of a perfect world: others get their turn, as at any call that leaves the process."""
    await _one_turn()


class MemoryShardStore:
    """See :class:`~atoll.ports.ShardStore`."""

    def __init__(
        self, origin: Origin, *, shard: MemoryShard | None = None, disturbance: Disturbance = undisturbed
    ) -> None:
        self.shard = shard or MemoryShard(origin)
        assert self.shard.origin == origin, f"the shard is {self.shard.origin}, not {origin}"
        incarnation = self.shard.incarnation
        self._identity = ShardIdentity(origin=origin, incarnation=incarnation, actor=actor_of(origin, incarnation))
        self._disturbance = disturbance
        self._closed = False

    @property
    def identity(self) -> ShardIdentity:
        return self._identity

    async def lease_counters(self, count: int) -> CounterBlock:
        assert count >= 1, "a lease is of one counter or more"
        await self._before("lease_counters")
        self.shard.leased += count
        block = CounterBlock(self.shard.leased - count + 1, self.shard.leased)
        await self._after("lease_counters")
        return block

    async def read(self, ids: Sequence[RecordId]) -> ReadResult:
        await self._before("read")
        result = self.shard.read(ids)
        await self._after("read")
        return result

    async def write(self, rows: Sequence[RowWrite], dependencies: Cut) -> WriteResult:
        assert len({row.id for row in rows}) == len(rows), "the rows of a write are distinct records"
        if any("\0" in row.id.key for row in rows):
            raise InvalidValue("Postgres cannot hold a key with U+0000")
        transaction = self.shard.begin()
        try:
            await self._before("write")
            outcomes = self.shard.write(transaction, rows, dependencies)
        finally:
            self.shard.end(transaction)
        result = WriteResult(outcomes=outcomes, progress=self.shard.progress())
        await self._after("write")
        return result

    async def capture(self) -> Batch | None:
        await self._before("capture")
        batch = self.shard.capture()
        await self._after("capture")
        return batch

    async def batches(self, after: int, limit: int) -> Sequence[Batch]:
        await self._before("batches")
        found = self.shard.batches_above(after, limit)
        await self._after("batches")
        return found

    async def batch_rows(self, number: int, allowed: Sequence[KeyRange]) -> AsyncIterator[bytes]:
        await self._before("batch_rows")
        rows = self.shard.batch_rows(number, allowed) if allowed else b""
        for start in range(0, len(rows), FRAME_BYTES):
            yield rows[start : start + FRAME_BYTES]
        await self._after("batch_rows")

    async def apply(self, begins: Cut, completes: Cut, rows: Rows) -> ApplyResult:
        assert begins.covers(completes), f"{completes} cannot be complete before it has begun: {begins}"
        await self._before("apply")
        result = self.shard.join(begins, completes, list(decode_rows(rows)))
        await self._after("apply")
        return result

    async def progress(self) -> Progress:
        await self._before("progress")
        progress = self.shard.progress()
        await self._after("progress")
        return progress

    async def acknowledge(self, peer: RegionName, number: int) -> None:
        await self._before("acknowledge")
        self.shard.acknowledge(peer, number)
        await self._after("acknowledge")

    async def acknowledged(self) -> Mapping[RegionName, int]:
        await self._before("acknowledged")
        noted = dict(self.shard.acknowledged)
        await self._after("acknowledged")
        return noted

    async def collect(self, members: Sequence[RegionName]) -> int:
        await self._before("collect")
        deleted = self.shard.collect(members)
        await self._after("collect")
        return deleted

    async def ownership(self) -> Sequence[Ownership]:
        await self._before("ownership")
        rows = self.shard.owned()
        await self._after("ownership")
        return rows

    async def claim(self, ownership: Ownership) -> None:
        await self._before("claim")
        self.shard.claim(ownership)
        await self._after("claim")

    async def scan(
        self, within: KeyRange, collection: CollectionName | None = None
    ) -> AsyncIterator[Sequence[tuple[RecordId, StoredRecord]]]:
        await self._before("scan")
        rows = self.shard.scan(within, collection)
        for start in range(0, len(rows), SHARD_SCAN_ROWS):
            yield rows[start : start + SHARD_SCAN_ROWS]
        await self._after("scan")

    async def statistics(self) -> StoreStatistics:
        await self._before("statistics")
        figures = self.shard.statistics()
        await self._after("statistics")
        return figures

    async def close(self) -> None:
        self._closed = True

    async def _before(self, method: str) -> None:
        if self._closed:
            raise Unavailable(f"the store of {self._identity.origin} is closed")
        await self._disturbance(method, Phase.BEFORE)

    async def _after(self, method: str) -> None:
        await self._disturbance(method, Phase.AFTER)
