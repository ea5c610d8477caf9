"""A desk: what a process keeps about one shard, shared by the shard's writer and reader.

The store, the mint of dot counters, what answers taught about the shard's progress, and the figures. One desk per
shard and process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from atoll.causality.cut import Cut
from atoll.ids import Actor, Origin
from atoll.limits import RECORD_CACHE_MAX
from atoll.metrics import Metrics
from atoll.node.clock_keeper import ClockKeeper
from atoll.node.existing import ExistingBatches
from atoll.node.minting import CounterMint
from atoll.node.pending import Pending
from atoll.node.record_cache import RecordCache
from atoll.ports import Clock, Progress, ShardStore

OnFenced = Callable[[Sequence[Pending]], None]
"""Takes operations that the shard refused because it does not own their positions."""


class Desk:
    """One shard as seen by one process."""

    __slots__ = (
        "_applied", "_begun", "_commit_seconds", "_existing", "_fenced_rows", "_group_records", "_on_commit",
        "_on_fenced", "_read_records", "_read_seconds", "_session_waits", "_stale_rows", "_time", "clock", "mint",
        "origin", "records", "store",
    )  # fmt: skip

    def __init__(
        self,
        store: ShardStore,
        clock: ClockKeeper,
        time: Clock,
        existing: ExistingBatches,
        metrics: Metrics,
        on_commit: Callable[[], None],
        on_fenced: OnFenced,
    ) -> None:
        self.store = store
        self.origin: Origin = store.identity.origin
        self.clock = clock
        self.mint = CounterMint(store)
        self.records = RecordCache(RECORD_CACHE_MAX)
        self._time = time
        self._existing = existing
        self._applied = Cut.EMPTY
        self._begun = Cut.EMPTY
        self._on_commit = on_commit
        self._on_fenced = on_fenced
        shard: Any = self.origin.shard
        self._commit_seconds = metrics.commit_seconds.labels(shard)
        self._group_records = metrics.group_records.labels(shard)
        self._read_seconds = metrics.read_seconds.labels(shard)
        self._read_records = metrics.read_records.labels(shard)
        self._session_waits = metrics.session_waits
        self._stale_rows = metrics.stale_rows.labels(shard)
        self._fenced_rows = metrics.fenced_rows.labels(shard)

    @property
    def actor(self) -> Actor:
        """Who mints the shard's dots; known once the shard has answered, hence never before a merge."""
        return self.store.identity.actor

    # -- time -----------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Monotonic seconds."""
        return self._time.monotonic()

    async def pause(self, seconds: float) -> None:
        """Wait before trying again."""
        await self._time.sleep(seconds)

    # -- progress -------------------------------------------------------------------------------------------------

    def learn(self, progress: Progress) -> None:
        """Note how far the shard has come."""
        self._applied = self._applied.join(progress.applied)
        self._begun = self._begun.join(progress.begun)
        self._existing.learn(progress)

    @property
    def applied(self) -> Cut:
        """What the shard is known to reflect in full of other regions."""
        return self._applied

    def beyond_own_progress(self, cut: Cut) -> Cut:
        """The entries of ``cut`` that a batch captured from now on would not imply by itself: those of other shards
        that this one had not begun to apply."""
        begun = self._begun
        beyond = {o: n for o, n in cut.items() if begun.at(o) < n and o != self.origin}
        return Cut(beyond) if beyond else Cut.EMPTY

    # -- what happened --------------------------------------------------------------------------------------------

    def committed(self, progress: Progress, records: int, seconds: float) -> None:
        """A group was written."""
        self.learn(progress)
        self._on_commit()
        self._commit_seconds.observe(seconds)
        self._group_records.observe(records)

    def answered(self, progress: Progress, records: int, seconds: float) -> None:
        """A read statement was answered."""
        self.learn(progress)
        self._read_seconds.observe(seconds)
        self._read_records.observe(records)

    def waited(self, seconds: float) -> None:
        """A read has waited for what its session covers."""
        self._session_waits.observe(seconds)

    def stale(self, rows: int) -> None:
        """Rows lost a race against another process."""
        self._stale_rows.inc(rows)

    def fenced(self, pendings: Sequence[Pending]) -> None:
        """Rows were refused because the shard does not own them; they are routed anew."""
        self._fenced_rows.inc(len(pendings))
        self._on_fenced(pendings)
