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
from atoll.replication.parcel import Parcel, cut_chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyStep:
    """One call of :meth:`~atoll.ports.ShardStore.apply`."""

    origin: Origin
    begins: Cut
    completes: int
    rows: bytes
    routing: int
    """Which routing the rows were split by."""


class ApplyQueue:
    """One origin's way into one shard. Invariant: the entries' numbers are dense and begin after ``completed``."""

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
        """Take a released batch; one that this shard has already completed is passed over."""
        number = release.batch.number
        last = self._entries[-1].batch.number if self._entries else self.completed
        if number > last:
            assert number == last + 1, f"batch {number} of {self._origin} after {last}"
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
        """The step is durable. A chunk counts only if its rows were split by the present routing."""
        if self._chunks and step.routing == self._routing:
            self._chunks.popleft()
        self._complete(step.completes)

    def caught_up(self, number: int) -> None:
        """The shard was found to be complete up to ``number``: another node of the region has applied to it."""
        if number > self.completed:
            self.reroute()
            self._complete(number)

    def reroute(self) -> None:
        """The parts of the batches have changed: one that is half way in begins again (joins are idempotent)."""
        self._routing += 1
        self._chunks.clear()

    def parcels(self) -> Sequence[Parcel]:
        """The batches that are not yet complete here."""
        return [entry.batch for entry in self._entries]

    def _complete(self, number: int) -> None:
        self.completed = max(self.completed, number)
        while self._entries and self._entries[0].batch.number <= self.completed:
            self._entries.popleft()

    def _chunk_step(self, first: Release) -> ApplyStep:
        if not self._chunks:
            self._chunks.extend(cut_chunks(self._rows(first), APPLY_CHUNK_BYTES))
        completes = first.batch.number if len(self._chunks) == 1 else self.completed
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
