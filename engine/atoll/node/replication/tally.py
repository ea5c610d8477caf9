"""What came of the batches of peers, and of the rows in them: for status and metrics, since the node started."""

from __future__ import annotations

from prometheus_client import Gauge

from atoll.ids import Origin, RegionName, ShardName
from atoll.metrics import Metrics
from atoll.ports import ApplyResult
from atoll.replication.lag import LagWindow


class JoinTally:
    """What joining remote rows took in one own shard. A transaction joins rows of many origins, so these counts are
    by shard, not by peer."""

    def __init__(self, metrics: Metrics, shard: ShardName) -> None:
        self._records = metrics.joined_records
        self._shard = shard
        self.merged = 0

    def count(self, result: ApplyResult) -> None:
        """One apply transaction is durable."""
        for how, rows in (
            ("inserted", result.inserted),
            ("overwritten", result.overwritten),
            ("merged", result.merged),
            ("unchanged", result.unchanged),
        ):
            if rows:
                self._records.labels(self._shard, how).inc(rows)
        self.merged += result.merged


class Tally:
    """What came of one peer's batches."""

    def __init__(self, metrics: Metrics, peer: RegionName) -> None:
        self._metrics = metrics
        self._peer = peer
        self._lag = metrics.lag_seconds.labels(peer)
        self.lag = LagWindow()
        self.applied = 0
        self.refused = 0
        self._gauges: dict[Origin, tuple[Gauge, ...]] = {}
        self._shown: dict[Origin, tuple[int, int, int]] = {}

    def count(self, origin: Origin, records: int) -> None:
        """A batch of so many records is applied by the whole region."""
        if records:
            self._metrics.applied_records.labels(*origin).inc(records)
        self.applied += records

    def lagged(self, seconds: float) -> None:
        """A batch is applied ``seconds`` after its newest write; clocks that disagree can make it look negative."""
        self.lag.add(max(0.0, seconds))
        self._lag.observe(max(0.0, seconds))

    def refuse(self, reason: str, rows: int = 1) -> None:
        """Rows or a frame were refused."""
        self.refused += rows
        self._metrics.refused.labels(self._peer, reason).inc(rows)

    def show(self, origin: Origin, held_batches: int, underway_bytes: int, applied: int) -> None:
        """Where the origin stands now."""
        figures = (held_batches, underway_bytes, applied)
        shown = self._shown.get(origin, (-1, -1, -1))
        if shown == figures:
            return
        self._shown[origin] = figures
        gauges = self._gauges.get(origin)
        if gauges is None:
            metrics = self._metrics
            every = (metrics.inbox_batches, metrics.inbox_bytes, metrics.applied_batch)
            gauges = self._gauges[origin] = tuple(gauge.labels(*origin) for gauge in every)
        for gauge, value, before in zip(gauges, figures, shown, strict=True):
            if value != before:
                gauge.set(value)
