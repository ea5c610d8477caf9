"""What one own shard has yet to apply of one origin, cut into transactions.

Consecutive released batches are combined into one transaction, a batch larger than a chunk takes several. A step says
how far the shard *begins* (rows of batches up to that number become visible) and how far it *completes*: a batch is
complete when its last chunk is in and its barrier (see :mod:`atoll.replication.inbox`) is joined on every shard of the
region. Completion rides on the next step with rows; alone it takes a step of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from atoll.causality.cut import Cut
from atoll.ids import Origin, ShardName
from atoll.limits import APPLY_CHUNK_BYTES, BATCHES_PER_APPLY_MAX
from atoll.replication.inbox import Release
from atoll.replication.parcel import Parcel, cut_chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyStep:
    """One call of :meth:`~atoll.ports.ShardStore.apply`. ``joined``: batches up to this are wholly in the shard
    afterwards (one below ``begins`` while chunks of a large batch remain)."""

    origin: Origin
    begins: int
    completes: int
    joined: int
    rows: bytes
    generation: int
    """Which routing the rows were split by."""


class ApplyQueue:
    """One origin's way into one shard. Invariant: ``completed <= joined``; entries follow ``completed`` densely."""

    __slots__ = ("_chunks", "_entries", "_generation", "_origin", "_shard", "completed", "joined")

    def __init__(self, shard: ShardName, origin: Origin, completed: int) -> None:
        self._shard = shard
        self._origin = origin
        self._entries: deque[Release] = deque()
        self._chunks: deque[bytes] = deque()
        """Remaining chunks of the batch after ``joined``, once it has been cut."""
        self._generation = 0
        self.completed = completed
        self.joined = completed

    def put(self, release: Release) -> None:
        """Take a released batch; one that this shard has already completed is passed over."""
        number = release.batch.number
        if number <= self.completed:
            return
        last = self._entries[-1].batch.number if self._entries else self.completed
        assert number == last + 1, f"batch {number} of {self._origin} after {last}"
        self._entries.append(release)

    def next_step(self, joined_everywhere: Cut) -> ApplyStep | None:
        """The next transaction, or ``None`` if there is nothing to do before ``joined_everywhere`` grows."""
        fresh = [entry.batch for entry in self._entries if entry.batch.number > self.joined]
        if fresh and (self._chunks or len(fresh[0].parts.get(self._shard, b"")) > APPLY_CHUNK_BYTES):
            return self._chunk_step(fresh[0], joined_everywhere)
        taken = _together(fresh, self._shard)
        joined = taken[-1].number if taken else self.joined
        completes = self._completes(joined, joined_everywhere)
        if not taken and completes == self.completed:
            return None
        rows = b"".join(batch.parts.get(self._shard, b"") for batch in taken)
        return self._step(joined, completes, joined, rows)

    def done(self, step: ApplyStep) -> None:
        """The step is durable. What it joined counts only if the rows were split by the present routing."""
        assert step.completes >= self.completed, "what is complete stays complete"
        self.completed = step.completes
        if step.generation == self._generation:
            if self._chunks:
                self._chunks.popleft()
            self.joined = step.joined
        self.joined = max(self.joined, self.completed)
        while self._entries and self._entries[0].batch.number <= self.completed:
            self._entries.popleft()

    def reroute(self) -> None:
        """The parts of the batches have changed: what is not complete is joined again (joins are idempotent)."""
        self._generation += 1
        self._chunks.clear()
        self.joined = self.completed

    def parcels(self) -> Sequence[Parcel]:
        """The batches that are not yet complete here."""
        return [entry.batch for entry in self._entries]

    def _chunk_step(self, batch: Parcel, joined_everywhere: Cut) -> ApplyStep:
        if not self._chunks:
            self._chunks.extend(cut_chunks(batch.parts[self._shard], APPLY_CHUNK_BYTES))
        joined = batch.number if len(self._chunks) == 1 else self.joined
        return self._step(batch.number, self._completes(joined, joined_everywhere), joined, self._chunks[0])

    def _step(self, begins: int, completes: int, joined: int, rows: bytes) -> ApplyStep:
        return ApplyStep(
            origin=self._origin,
            begins=begins,
            completes=completes,
            joined=joined,
            rows=rows,
            generation=self._generation,
        )

    def _completes(self, joined: int, joined_everywhere: Cut) -> int:
        completes = self.completed
        for entry in self._entries:
            if entry.batch.number > joined or not joined_everywhere.covers(entry.barrier):
                break
            completes = entry.batch.number
        return completes


def _together(batches: Sequence[Parcel], shard: ShardName) -> Sequence[Parcel]:
    """The longest prefix that fits one transaction; at least one batch if there are any."""
    size_bytes = 0
    for index, batch in enumerate(batches[:BATCHES_PER_APPLY_MAX]):
        size_bytes += len(batch.parts.get(shard, b""))
        if index and size_bytes > APPLY_CHUNK_BYTES:
            return batches[:index]
    return batches[:BATCHES_PER_APPLY_MAX]
