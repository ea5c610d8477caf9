"""Dot counters for one shard's writes, from blocks that the shard leased durably (promise I2).

On one record an actor's counters must grow, or a causal context would cover writes it never saw. Several processes
write with one actor, each from its own block, so a block that lies below what a record has seen is given up: blocks
are leased in growing order, and a new one is above every counter that any process has used.
"""

from __future__ import annotations

import asyncio

from atoll.errors import OutcomeUnknown, Unavailable
from atoll.limits import COUNTER_BLOCK
from atoll.ports import CounterBlock, ShardStore


class CounterMint:
    """Hands out counters of one shard to one process. No counter is handed out twice."""

    __slots__ = ("_last", "_leasing", "_next", "_store")

    def __init__(self, store: ShardStore) -> None:
        self._store = store
        self._next = 1
        self._last = 0
        self._leasing = asyncio.Lock()

    async def take(self, count: int, above: int) -> int:
        """The first of ``count`` consecutive counters, all greater than ``above``.

        ``above`` is the greatest counter of the shard's actor that the records to be written have seen. Raises
        :class:`Unavailable` when the shard does not lease.
        """
        while not self._has(count, above):
            async with self._leasing:
                if not self._has(count, above):
                    block = await self._lease(max(count, COUNTER_BLOCK))
                    assert block.first > max(above, self._last), (
                        "leased blocks grow, and no counter precedes its lease"
                    )
                    self._next, self._last = block.first, block.last
        first = self._next
        self._next += count
        return first

    async def _lease(self, count: int) -> CounterBlock:
        try:
            return await self._store.lease_counters(count)
        except OutcomeUnknown as error:  # a block that nobody knows of is lost, which harms nobody
            raise Unavailable(f"no counters for shard {self._store.identity.origin}: {error}") from error

    def _has(self, count: int, above: int) -> bool:
        return self._next > above and self._last - self._next + 1 >= count
