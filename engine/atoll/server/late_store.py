"""A shard that may not answer when its node starts: opened in the background, unavailable until then.

To the engine and to replication it is a shard that is down and comes back, which they know how to live with. Its
actor is not known before it has answered once, and nothing that needs it can be reached before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog

from atoll.causality.cut import Cut
from atoll.errors import AtollError, Unavailable
from atoll.ids import Actor, CollectionName, Origin, RecordId, RegionName
from atoll.keyspace.key_range import KeyRange
from atoll.ports import (
    ApplyResult,
    Batch,
    Clock,
    CounterBlock,
    Entropy,
    Ownership,
    Progress,
    ReadResult,
    Rows,
    RowWrite,
    ShardIdentity,
    ShardStore,
    StoredRecord,
    StoreStatistics,
    WriteResult,
)
from atoll.replication.backoff import Backoff

_NOBODY: Final = Actor("")

_log = structlog.get_logger(__name__)


class LateShardStore:
    """See :class:`~atoll.ports.ShardStore`. :meth:`try_open` opens it; every method but ``identity`` and ``close``
    raises :class:`Unavailable` with the last reason until that has succeeded."""

    def __init__(self, origin: Origin, opening: Callable[[], Awaitable[ShardStore]]) -> None:
        self._origin = origin
        self._opening = opening
        self._store: ShardStore | None = None
        self.problem = "it has not answered yet"
        """Why it is not open; empty once it is."""

    @property
    def is_open(self) -> bool:
        return self._store is not None

    async def try_open(self) -> bool:
        """Whether it is open now. A shard that is unfit (:class:`~atoll.errors.OperatorError`) is tried again too:
        an operator may mend it while the node runs."""
        if self._store is None:
            try:
                self._store = await self._opening()
                self.problem = ""
            except AtollError as error:
                self.problem = error.message
        return self._store is not None

    async def open_at_last(self, clock: Clock, entropy: Entropy) -> None:
        """Try until it is open, with growing jittered pauses."""
        backoff = Backoff()
        while not await self.try_open():
            _log.warning("a shard is not open", shard=str(self._origin), problem=self.problem)
            await clock.sleep(entropy.uniform(0, backoff.ceiling_seconds))
            backoff = backoff.failed()

    def _opened(self) -> ShardStore:
        if self._store is None:
            raise Unavailable(f"shard {self._origin} is not open: {self.problem}")
        return self._store

    # -- the port -------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> ShardIdentity:
        """Before the shard has answered only the origin is known; the incarnation is 0, which mints nothing."""
        if self._store is None:
            return ShardIdentity(origin=self._origin, incarnation=0, actor=_NOBODY)
        return self._store.identity

    async def lease_counters(self, count: int) -> CounterBlock:
        return await self._opened().lease_counters(count)

    async def read(self, ids: Sequence[RecordId]) -> ReadResult:
        return await self._opened().read(ids)

    async def write(self, rows: Sequence[RowWrite], dependencies: Cut) -> WriteResult:
        return await self._opened().write(rows, dependencies)

    async def capture(self) -> Batch | None:
        return await self._opened().capture()

    async def batches(self, after: int, limit: int) -> Sequence[Batch]:
        return await self._opened().batches(after, limit)

    def batch_rows(self, number: int, allowed: Sequence[KeyRange]) -> AsyncIterator[bytes]:
        return self._opened().batch_rows(number, allowed)

    async def apply(self, begins: Cut, completes: Cut, rows: Rows) -> ApplyResult:
        return await self._opened().apply(begins, completes, rows)

    async def progress(self) -> Progress:
        return await self._opened().progress()

    async def acknowledge(self, peer: RegionName, number: int) -> None:
        await self._opened().acknowledge(peer, number)

    async def acknowledged(self) -> Mapping[RegionName, int]:
        return await self._opened().acknowledged()

    async def collect(self, members: Sequence[RegionName]) -> int:
        return await self._opened().collect(members)

    async def ownership(self) -> Sequence[Ownership]:
        return await self._opened().ownership()

    async def claim(self, ownership: Ownership) -> None:
        await self._opened().claim(ownership)

    def scan(
        self, within: KeyRange, collection: CollectionName | None = None
    ) -> AsyncIterator[Sequence[tuple[RecordId, StoredRecord]]]:
        return self._opened().scan(within, collection)

    async def statistics(self) -> StoreStatistics:
        return await self._opened().statistics()

    async def close(self) -> None:
        if self._store is not None:
            await self._store.close()
