"""The capture loop of one shard: turns what was committed into batches, soon after it was committed.

Writers of this process give a hint after each commit; writers elsewhere are found by polling. While there is
something to capture the loop goes on at ``CAPTURE_INTERVAL_SECONDS``, which also brings out the empty batch that
closes a full one (:meth:`~atoll.ports.Progress.seen`). It never gives up: a shard that is down is tried for ever.
"""

from __future__ import annotations

from atoll.errors import AtollError, Retryable
from atoll.ids import ShardName
from atoll.limits import CAPTURE_IDLE_SECONDS, CAPTURE_INTERVAL_SECONDS, FOREIGN_CAPTURE_POLL_SECONDS
from atoll.node.replication.captured import CapturedNumbers
from atoll.node.replication.site import Site
from atoll.node.restarting import Trouble
from atoll.node.waiting import Bell
from atoll.ports import Batch, ShardStore


class CaptureLoop:
    """Captures one shard. :meth:`run` is a task; :meth:`hint` may be called from any other."""

    def __init__(self, site: Site, store: ShardStore, captured: CapturedNumbers) -> None:
        self._store = store
        self._shard: ShardName = store.identity.origin.shard
        self._captured = captured
        self._clock = site.clock
        self._entropy = site.entropy
        self._hints = Bell()
        self._trouble = Trouble("capture", shard=self._shard)
        self._looked_at = float("-inf")
        self._seconds = site.metrics.capture_seconds.labels(self._shard)
        self._records = site.metrics.captured_records.labels(self._shard)
        self._number = site.metrics.captured_batch.labels(self._shard)
        self._up = site.metrics.shard_up.labels(self._shard)

    def hint(self) -> None:
        """Something was committed on the shard."""
        self._hints.ring()

    async def run(self) -> None:
        """Capture for ever."""
        pause_seconds = CAPTURE_INTERVAL_SECONDS
        while True:
            ticket = self._hints.ticket()
            try:
                batch = await self._capture()
            except AtollError as error:
                self._up.set(0)
                if not isinstance(error, Retryable):
                    raise
                await self._clock.sleep(self._entropy.uniform(0, self._trouble.failed(error)))
                continue
            self._up.set(1)
            self._trouble.mended()
            if batch is not None:
                pause_seconds = CAPTURE_INTERVAL_SECONDS
                await self._clock.sleep(pause_seconds)
            elif not await self._hints.wait_at_most(ticket, pause_seconds, self._clock):
                pause_seconds = min(2 * pause_seconds, CAPTURE_IDLE_SECONDS)

    async def _capture(self) -> Batch | None:
        started = self._clock.monotonic()
        batch = await self._store.capture()
        if batch is None:
            await self._look_for_foreign_captures(started)
            return None
        self._seconds.observe(self._clock.monotonic() - started)
        self._records.observe(batch.records)
        self._note(batch.number)
        return batch

    async def _look_for_foreign_captures(self, now: float) -> None:
        """Another node of the region may have captured; its batches travel by this node's streams too."""
        if now - self._looked_at >= FOREIGN_CAPTURE_POLL_SECONDS:
            self._looked_at = now
            self._note((await self._store.progress()).captured)

    def _note(self, number: int) -> None:
        self._captured.note(self._shard, number)
        self._number.set(self._captured.number(self._shard))
