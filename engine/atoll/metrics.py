"""What a node counts and times, in one place, so that names, units and buckets agree.

Each node has its own registry: several nodes in one process (tests, simulations) do not share figures. Children
with labels are looked up once and held by the part that counts, never per operation.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)


class Metrics:
    """The figures of one node. All names begin with ``atoll_``; times are in seconds, sizes in bytes or records."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._write_path()
        self._replication()

    def _write_path(self) -> None:
        shard = ["shard"]
        self.operations = self._counter(
            "operations", "Operations answered, by kind and result code.", ["kind", "code"]
        )
        self.commit_seconds = self._histogram("commit_seconds", "Time of one group commit.", shard, _SECONDS)
        self.group_records = self._histogram("group_records", "Records in one group commit.", shard, _SIZES)
        self.read_seconds = self._histogram("read_seconds", "Time of one read statement.", shard, _SECONDS)
        self.read_records = self._histogram("read_records", "Records in one read statement.", shard, _SIZES)
        self.lane_queue = self._gauge("lane_queue", "Writes waiting for a group commit.", shard)
        self.stale_rows = self._counter("stale_rows", "Rows retried because another writer came first.", shard)
        self.fenced_rows = self._counter("fenced_rows", "Rows refused by a shard that does not own them.", shard)
        self.forwarded = self._counter("forwarded", "Operations forwarded to another region.", ["region"])
        self.session_waits = self._histogram(
            "session_wait_seconds", "Waits of reads for their session.", [], _SECONDS
        )

    def _replication(self) -> None:
        origin = ["region", "shard"]
        self.capture_seconds = self._histogram("capture_seconds", "Time of one capture.", ["shard"], _SECONDS)
        self.captured_records = self._histogram("captured_records", "Records in one batch.", ["shard"], _SIZES)
        self.shard_up = self._gauge("shard_up", "1 while the shard answers its capture loop.", ["shard"])
        self.captured_batch = self._gauge("captured_batch", "Number of the last captured batch.", ["shard"])
        self.applied_batch = self._gauge("applied_batch", "Last batch applied in full, by origin.", origin)
        self.applied_records = self._counter(
            "applied_records", "Records in batches that all own shards have applied, by origin.", origin
        )
        self.joined_records = self._counter(
            "joined_records", "Remote records joined by an own shard, by what it took.", ["shard", "how"]
        )
        self.apply_seconds = self._histogram("apply_seconds", "Time of one apply transaction.", ["shard"], _SECONDS)
        self.lag_seconds = self._histogram("replication_lag_seconds", "Write to visible here.", ["region"], _SECONDS)
        self.inbox_batches = self._gauge(
            "inbox_batches", "Batches received and waiting for what they depend on.", origin
        )
        self.inbox_bytes = self._gauge("inbox_bytes", "Bytes received and not yet applied.", origin)
        self.link_up = self._gauge("link_up", "1 while the stream from the region is open.", ["region"])
        self.link_dials = self._counter("link_dials", "Attempts to open a stream.", ["region"])
        self.sent_bytes = self._counter("sent_bytes", "Row bytes sent to a region.", ["region"])
        self.refused = self._counter(
            "refused_rows", "Rows or frames refused from a peer, by reason.", ["region", "reason"]
        )
        self.unacknowledged = self._gauge(
            "unacknowledged_batches", "Batches a peer has yet to confirm.", ["region", "shard"]
        )

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(f"atoll_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: list[str]) -> Gauge:
        return Gauge(f"atoll_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: list[str], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"atoll_{name}", text, labels, registry=self.registry, buckets=buckets)
