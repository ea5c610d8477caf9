"""Applies one remote origin's batches to one own shard.

Shards and origins go on independently of each other: one that is down or refuses something holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from atoll.errors import AtollError, StaleRoute
from atoll.ids import Origin, ShardName
from atoll.node.replication.site import Site
from atoll.node.restarting import Trouble
from atoll.node.waiting import Bell
from atoll.ports import ApplyResult, Rows, ShardStore
from atoll.replication.apply_queue import ApplyQueue, ApplyStep
from atoll.replication.inbox import Release

OnApplied = Callable[[ShardName, ApplyStep, ApplyResult], None]
"""Called after each durable step."""
OnFenced = Callable[[Origin], Awaitable[None]]
"""Called when the shard does not own some of the rows: fetches the newest map and has the origin's region begin again
from the cut. Raises :class:`~atoll.errors.AtollError` if the map cannot be fetched."""


class Applier:
    """:meth:`run` is a task; :meth:`put` may be called from any other."""

    def __init__(
        self,
        site: Site,
        store: ShardStore,
        origin: Origin,
        on_applied: OnApplied,
        on_fenced: OnFenced,
    ) -> None:
        self._site = site
        self._store = store
        self.shard: ShardName = store.identity.origin.shard
        self.origin = origin
        self.queue = ApplyQueue(self.shard, origin, 0)
        self._on_applied = on_applied
        self._on_fenced = on_fenced
        self._work = Bell()
        self._trouble = Trouble("applying batches", shard=self.shard, origin=str(origin))
        self._seconds = site.metrics.apply_seconds.labels(self.shard)

    @property
    def problem(self) -> str:
        """What keeps the shard from applying, empty if nothing does."""
        return self._trouble.problem

    def put(self, release: Release) -> None:
        """Apply this batch next; batches of the origin come in order."""
        self.queue.put(release)
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
                result = await self._apply(step)
            except AtollError as error:
                await self._site.clock.sleep(self._site.entropy.uniform(0, self._trouble.failed(error)))
                continue
            self._trouble.mended()
            self.queue.done(step)
            self._on_applied(self.shard, step, result)

    async def _apply(self, step: ApplyStep) -> ApplyResult:
        started = self._site.clock.monotonic()
        result = await self._store.apply(step.origin, step.begins, step.completes, Rows(step.rows))
        if result.fenced:
            await self._on_fenced(self.origin)
            raise StaleRoute(
                f"shard {self.shard} does not own {len(result.fenced)} rows of {self.origin} that the map gave it; "
                "they are routed anew"
            )
        self._seconds.observe(self._site.clock.monotonic() - started)
        return result
