"""Which batches each own shard has, as far as this node knows: written by captures, read by senders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from atoll.ids import ShardName
from atoll.node.waiting import Bell


class CapturedNumbers:
    """The last captured batch by shard; numbers only grow. ``any`` rings whenever one of them does."""

    def __init__(self, shards: Iterable[ShardName]) -> None:
        self._numbers = dict.fromkeys(shards, 0)
        self._bells = {shard: Bell() for shard in self._numbers}
        self.any = Bell()

    def note(self, shard: ShardName, number: int) -> None:
        """``shard`` has batches up to ``number``; older news changes nothing."""
        if number > self._numbers[shard]:
            self._numbers[shard] = number
            self._bells[shard].ring()
            self.any.ring()

    def number(self, shard: ShardName) -> int:
        """The last batch of ``shard`` that is known here; 0 before the first."""
        return self._numbers[shard]

    def all(self) -> Mapping[ShardName, int]:
        """A copy of all numbers."""
        return dict(self._numbers)

    async def wait_above(self, shard: ShardName, number: int) -> None:
        """Return once a batch above ``number`` is known."""
        while self._numbers[shard] <= number:
            await self._bells[shard].wait(self._bells[shard].ticket())
