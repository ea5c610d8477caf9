"""Retention: deletes batches that every other region has made durable (promise I11)."""

from __future__ import annotations

from atoll.errors import Retryable
from atoll.limits import RETENTION_INTERVAL_SECONDS
from atoll.node.replication.site import Site
from atoll.node.restarting import Trouble
from atoll.ports import ShardStore


class Retention:
    """Collects one shard's log. The members are all peers of the topology: a silent one holds the log back."""

    def __init__(self, site: Site, store: ShardStore) -> None:
        self._site = site
        self._store = store
        self._members = site.topology.peers(site.region)
        self._trouble = Trouble("retention", shard=store.identity.origin.shard)

    async def run(self) -> None:
        """Collect for ever."""
        while True:
            delay_seconds = RETENTION_INTERVAL_SECONDS
            try:
                await self._store.collect(self._members)
                self._trouble.mended()
            except Retryable as error:
                delay_seconds += self._site.entropy.uniform(0, self._trouble.failed(error))
            await self._site.clock.sleep(delay_seconds)
