"""What one own shard has yet to join, of all origins, in causal order, cut into transactions.

As many consecutive batches as fit become one transaction, whatever their origins, so that a backlog is caught up in
large sets; a batch larger than a chunk takes several transactions and is complete with the last. A batch without rows
for this shard passes through all the same: the shard's cut names it (see :mod:`atoll.replication.inbox`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from atoll.causality.cut import Cut
from atoll.ids import Origin, ShardName
from atoll.limits import APPLY_CHUNK_BYTES, BATCHES_PER_APPLY_MAX
from atoll.replication.parcel import Parcel, cut_chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyStep:
    """One call of :meth:`~atoll.ports.ShardStore.apply`."""

    begins: Cut
    completes: Cut
    rows: bytes
    batches: int
    """How many batches are complete with it."""
    generation: int
    """Tells a step of before a restart from one of after."""


class ApplyQueue:
    """Invariant: the numbers of each origin are dense, but for batches that every shard of the region had completed
    when the next one came."""

    __slots__ = ("_again", "_chunks", "_complete", "_entries", "_generation", "_last", "_shard")

    def __init__(self, shard: ShardName) -> None:
        self._shard = shard
        self._entries: deque[Parcel] = deque()
        self._chunks: deque[bytes] = deque()
        """Remaining chunks of the first entry, once it has been cut."""
        self._last: dict[Origin, int] = {}
        """The last number that was put, per origin."""
        self._complete = Cut.EMPTY
        """What every shard of the region has completed."""
        self._again = Cut.EMPTY
        """Up to here batches are joined even if every shard has completed them."""
        self._generation = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, batch: Parcel) -> None:
        """Take the next batch of the order. One that the shard already counts as complete is joined all the same: it
        may have been completed with rows split by an older map."""
        last = max(self._last.get(batch.origin, 0), self._complete.at(batch.origin))
        assert batch.number == last + 1, f"batch {batch.number} of {batch.origin} after {last}"
        self._last[batch.origin] = batch.number
        self._entries.append(batch)

    def next_step(self) -> ApplyStep | None:
        """The next transaction; taken again before it is :meth:`done` it may hold more. ``None`` if there is nothing
        to join."""
        self._skip()
        if not self._entries:
            return None
        first = self._entries[0]
        if self._chunks or len(self._rows(first)) > APPLY_CHUNK_BYTES:
            return self._chunk_step(first)
        taken = self._fitting()
        numbers = Cut({batch.origin: batch.number for batch in taken})
        return self._step(numbers, numbers, b"".join(map(self._rows, taken)), len(taken))

    def done(self, step: ApplyStep) -> None:
        """The step is durable. It counts only if it :meth:`is_current`."""
        if not self.is_current(step):
            return
        if self._chunks:
            self._chunks.popleft()
        for _ in range(step.batches):
            self._entries.popleft()

    def is_current(self, step: ApplyStep) -> bool:
        """Whether nothing was restarted since the step was taken."""
        return step.generation == self._generation

    def caught_up(self, cut: Cut) -> None:
        """Every shard of the region has completed ``cut``, be it by another node: what it covers need not be joined
        again."""
        self._complete = self._complete.join(cut)

    def restart(self, again: Cut) -> None:
        """Drop everything: batches come again from the last :meth:`caught_up` on, split anew. Shards that had
        completed some of them, up to ``again``, did so without the rows that now come to them: these are joined."""
        self._generation += 1
        self._entries.clear()
        self._chunks.clear()
        self._last.clear()
        self._again = self._again.join(again)

    def _skip(self) -> None:
        """Drop what needs no joining from the head."""
        while self._entries and self._is_known(self._entries[0]):
            self._entries.popleft()
            self._chunks.clear()

    def _is_known(self, batch: Parcel) -> bool:
        return self._again.at(batch.origin) < batch.number <= self._complete.at(batch.origin)

    def _chunk_step(self, first: Parcel) -> ApplyStep:
        if not self._chunks:
            self._chunks.extend(cut_chunks(self._rows(first), APPLY_CHUNK_BYTES))
        is_last = len(self._chunks) == 1
        begins = Cut({first.origin: first.number})
        return self._step(begins, begins if is_last else Cut.EMPTY, self._chunks[0], int(is_last))

    def _fitting(self) -> Sequence[Parcel]:
        """The longest prefix that fits one transaction; at least one entry."""
        taken: list[Parcel] = []
        size_bytes = 0
        for batch in islice(self._entries, BATCHES_PER_APPLY_MAX):
            size_bytes += len(self._rows(batch))
            if taken and size_bytes > APPLY_CHUNK_BYTES:
                break
            taken.append(batch)
        return taken

    def _rows(self, batch: Parcel) -> bytes:
        return batch.parts.get(self._shard, b"")

    def _step(self, begins: Cut, completes: Cut, rows: bytes, batches: int) -> ApplyStep:
        return ApplyStep(begins=begins, completes=completes, rows=rows, batches=batches, generation=self._generation)
