"""What one own shard has yet to apply of one origin, cut into transactions.

Consecutive released batches are combined into one transaction; a batch larger than a chunk takes several, and is
complete with the last. Each transaction records as begun what its batches were released with, so that whoever reads
the rows waits elsewhere for all of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from atoll.causality.cut import Cut, join_all
from atoll.ids import Origin, ShardName
from atoll.limits import APPLY_CHUNK_BYTES, BATCHES_PER_APPLY_MAX
from atoll.replication.inbox import Release
from atoll.replication.parcel import cut_chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyStep:
    """One call of :meth:`~atoll.ports.ShardStore.apply`."""

    origin: Origin
    begins: Cut
    completes: int
    rows: bytes
    routing: int
    """Tells a step of before a restart from one of after."""


class ApplyQueue:
    """One origin's way into one shard. Invariant: the entries' numbers are dense and begin after ``completed``.

    ``completed`` is what this queue knows to be done; the shard itself may be further.
    """

    __slots__ = ("_chunks", "_entries", "_origin", "_routing", "_shard", "completed")

    def __init__(self, shard: ShardName, origin: Origin, completed: int) -> None:
        self._shard = shard
        self._origin = origin
        self._entries: deque[Release] = deque()
        self._chunks: deque[bytes] = deque()
        """Remaining chunks of the first entry, once it has been cut."""
        self._routing = 0
        self.completed = completed

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, release: Release) -> None:
        """Take the next released batch. One that the shard already counts as complete is joined all the same: it may
        have been completed with rows split by an older map."""
        last = self._entries[-1].batch.number if self._entries else self.completed
        assert release.batch.number == last + 1, f"batch {release.batch.number} of {self._origin} after {last}"
        self._entries.append(release)

    def next_step(self) -> ApplyStep | None:
        """The next transaction; the same until it is :meth:`done`. ``None`` if there is nothing to apply."""
        if not self._entries:
            return None
        first = self._entries[0]
        if self._chunks or len(self._rows(first)) > APPLY_CHUNK_BYTES:
            return self._chunk_step(first)
        taken = self._fitting()
        return self._step(taken, taken[-1].batch.number, b"".join(map(self._rows, taken)))

    def done(self, step: ApplyStep) -> None:
        """The step is durable. It counts only if nothing was restarted since it was taken."""
        if step.routing == self._routing:
            if self._chunks:
                self._chunks.popleft()
            self._complete(max(self.completed, step.completes))

    def caught_up(self, number: int) -> None:
        """Every shard of the region is complete up to ``number``, be it by another node."""
        if number > self.completed:
            self._forget_step()
            self._complete(number)

    def restart(self, number: int) -> None:
        """Drop everything; batches come again from ``number + 1`` on."""
        self._forget_step()
        self._entries.clear()
        self.completed = number

    def _forget_step(self) -> None:
        self._routing += 1
        self._chunks.clear()

    def _complete(self, number: int) -> None:
        self.completed = number
        while self._entries and self._entries[0].batch.number <= number:
            self._entries.popleft()

    def _chunk_step(self, first: Release) -> ApplyStep:
        if not self._chunks:
            self._chunks.extend(cut_chunks(self._rows(first), APPLY_CHUNK_BYTES))
        completes = first.batch.number if len(self._chunks) == 1 else first.batch.number - 1
        return self._step([first], completes, self._chunks[0])

    def _fitting(self) -> Sequence[Release]:
        """The longest prefix that fits one transaction; at least one entry."""
        taken: list[Release] = []
        size_bytes = 0
        for entry in islice(self._entries, BATCHES_PER_APPLY_MAX):
            size_bytes += len(self._rows(entry))
            if taken and size_bytes > APPLY_CHUNK_BYTES:
                break
            taken.append(entry)
        return taken

    def _rows(self, entry: Release) -> bytes:
        return entry.batch.parts.get(self._shard, b"")

    def _step(self, entries: Sequence[Release], completes: int, rows: bytes) -> ApplyStep:
        begins = join_all(entry.begins for entry in entries)
        return ApplyStep(origin=self._origin, begins=begins, completes=completes, rows=rows, routing=self._routing)
