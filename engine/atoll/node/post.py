"""A post: what a process runs for one shard. The writer writes, the reader reads, the barrier holds writes back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from atoll.errors import Overloaded, Unavailable
from atoll.limits import BACKOFF_SECONDS_MIN, WRITE_QUEUE_MAX
from atoll.metrics import Metrics
from atoll.node.barrier import Barrier
from atoll.node.desk import Desk
from atoll.node.pending import Batch, Pending
from atoll.node.progress import RegionProgress
from atoll.node.reader import Reader
from atoll.node.waiting import cancel_and_wait
from atoll.node.writer import Writer


class Post:
    """The writer and the reader of one shard."""

    __slots__ = ("_barrier", "_held", "_holds", "_queue_gauge", "desk", "reader", "writer")

    def __init__(self, desk: Desk, barrier: Barrier, progress: RegionProgress, metrics: Metrics) -> None:
        self.desk = desk
        self.reader = Reader(desk, progress)
        self._barrier = barrier
        self.writer = Writer(desk)
        self._held = 0
        self._holds: set[asyncio.Task[None]] = set()
        self._queue_gauge = metrics.lane_queue.labels(desk.origin.shard)
        self._queue_gauge.set_function(self._waiting)

    async def close(self) -> None:
        """Stop. What was sent to the shard may still commit."""
        await cancel_and_wait(*self._holds)
        await self.writer.close()
        await self.reader.close()

    def write(self, batch: Batch, pendings: Sequence[Pending]) -> None:
        """Queue writes of one batch, at once if their dependencies exist, else when they do."""
        cut = batch.cut
        if not cut or self._barrier.open_for(cut, self.desk.origin):
            for pending in pendings:
                pending.dependencies = cut
                self.writer.put(pending)
            self.writer.kick()
        elif self._held + len(pendings) > WRITE_QUEUE_MAX:
            full = Overloaded(
                f"{WRITE_QUEUE_MAX:,} writes to shard {self.desk.origin} wait for what their sessions have seen"
            )
            for pending in pendings:
                pending.finish(full)
        else:
            self._held += len(pendings)
            task = asyncio.create_task(self._hold(batch, pendings))
            self._holds.add(task)
            task.add_done_callback(self._holds.discard)

    # -- writes that wait for their dependencies ------------------------------------------------------------------

    async def _hold(self, batch: Batch, pendings: Sequence[Pending]) -> None:
        try:
            dependencies = batch.cut
            while not all(pending.finished for pending in pendings):
                try:
                    dependencies = await self._barrier.settle(dependencies, self.desk.origin)
                    missing = self._barrier.missing(dependencies, self.desk.origin)
                    if not missing:
                        break
                    for pending in pendings:
                        pending.missing, pending.reached = missing, self._barrier.reached(missing)
                    await self._barrier.look(self.desk.origin)
                except Unavailable as error:
                    for pending in pendings:
                        pending.trouble = error
                    await self.desk.pause(BACKOFF_SECONDS_MIN)
            for pending in pendings:
                pending.missing = None
                pending.dependencies = dependencies
                if not pending.finished:
                    self.writer.put(pending)
            self.writer.kick()
        finally:
            self._held -= len(pendings)

    def _waiting(self) -> float:
        return self._held + len(self.writer)
