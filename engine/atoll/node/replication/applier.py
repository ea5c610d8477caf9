"""Joins all peers' batches into one own shard, in causal order.

Shards go on independently of each other: one that is down, or refuses something, holds up nobody but itself, until
the senders' windows are full.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from atoll.causality.cut import Cut
from atoll.errors import AtollError, StaleRoute
from atoll.ids import ShardName
from atoll.node.replication.site import Site
from atoll.node.replication.tally import JoinTally
from atoll.node.restarting import Trouble
from atoll.node.waiting import Bell
from atoll.ports import Rows, ShardStore
from atoll.replication.apply_queue import ApplyQueue, ApplyStep
from atoll.replication.parcel import Parcel

OnApplied = Callable[[ShardName, Cut], None]
"""Called after each durable step with the batches that the shard has completed."""
OnFenced = Callable[[], Awaitable[None]]
"""Called when the shard does not own some of the rows: fetches the newest map and has everything above the region's
cut begin again. Raises :class:`~atoll.errors.AtollError` if the map cannot be fetched."""


class Applier:
    """:meth:`run` is a task; :meth:`put` may be called from any other."""

    def __init__(self, site: Site, store: ShardStore, on_applied: OnApplied, on_fenced: OnFenced) -> None:
        self._site = site
        self._store = store
        self.shard: ShardName = store.identity.origin.shard
        self.queue = ApplyQueue(self.shard)
        self.tally = JoinTally(site.metrics, self.shard)
        self._on_applied = on_applied
        self._on_fenced = on_fenced
        self._work = Bell()
        self._trouble = Trouble("applying batches", shard=self.shard)
        self._seconds = site.metrics.apply_seconds.labels(self.shard)

    @property
    def problem(self) -> str:
        """What keeps the shard from applying, empty if nothing does."""
        return self._trouble.problem

    def put(self, batch: Parcel) -> None:
        """Join this batch after all that were put before."""
        self.queue.put(batch)
        self._work.ring()

    async def run(self) -> None:
        """Apply for ever."""
        while True:
            ticket = self._work.ticket()
            step = self.queue.next_step()
            if step is None:
                await self._work.wait(ticket)
                continue
            try:
                await self._apply(step)
            except AtollError as error:
                await self._site.clock.sleep(self._site.entropy.uniform(0, self._trouble.failed(error)))
                continue
            self._trouble.mended()
            self.queue.done(step)
            self._on_applied(self.shard, step.completes)

    async def _apply(self, step: ApplyStep) -> None:
        started = self._site.clock.monotonic()
        result = await self._store.apply(step.begins, step.completes, Rows(step.rows))
        if result.fenced:
            if self.queue.is_current(step):
                await self._on_fenced()
            raise StaleRoute(
                f"shard {self.shard} does not own {len(result.fenced)} rows that the map gave it; "
                "they are routed anew"
            )
        self._seconds.observe(self._site.clock.monotonic() - started)
        self.tally.count(result)
