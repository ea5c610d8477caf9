"""A post: what a process runs for one shard. The writer writes, the reader reads, the barrier holds writes back."""

from __future__ import annotations

from collections.abc import Sequence

from atoll.metrics import Metrics
from atoll.node.barrier import Barrier
from atoll.node.desk import Desk
from atoll.node.holding import HeldWrites
from atoll.node.pending import Batch, Pending
from atoll.node.progress import RegionProgress
from atoll.node.reader import Reader
from atoll.node.writer import Writer


class Post:
    """The writer and the reader of one shard."""

    __slots__ = ("_barrier", "_desk", "_held", "_queue_gauge", "_writer", "reader")

    def __init__(self, desk: Desk, barrier: Barrier, progress: RegionProgress, metrics: Metrics) -> None:
        self._desk = desk
        self._barrier = barrier
        self._writer = Writer(desk)
        self._held = HeldWrites(desk, barrier, self._writer)
        self.reader = Reader(desk, progress)
        self._queue_gauge = metrics.lane_queue.labels(desk.origin.shard)
        self._queue_gauge.set_function(lambda: float(len(self._held) + len(self._writer)))

    async def close(self) -> None:
        """Stop. What was sent to the shard may still commit."""
        await self._held.close()
        await self._writer.close()
        await self.reader.close()

    def write(self, batch: Batch, pendings: Sequence[Pending]) -> None:
        """Queue writes of one batch, at once if their dependencies exist, else when they do."""
        cut = batch.cut
        if cut and not self._barrier.open_for(cut, self._desk.origin):
            self._held.hold(cut, pendings)
            return
        for pending in pendings:
            pending.dependencies = cut
            self._writer.put(pending)
        self._writer.kick()
