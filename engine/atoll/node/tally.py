"""Counts answered operations by kind and result, once per batch and not once per operation."""

from __future__ import annotations

from atoll.metrics import Metrics
from atoll.node.pending import Batch, Pending
from atoll.requests import Get


class Tally:
    """Feeds ``atoll_operations_total``."""

    __slots__ = ("_operations", "_reads", "_writes")

    def __init__(self, metrics: Metrics) -> None:
        self._operations = metrics.operations
        self._reads = metrics.operations.labels("read", "ok")
        self._writes = metrics.operations.labels("write", "ok")

    def add(self, batch: Batch) -> None:
        """Count a batch whose operations are all answered."""
        reads = sum(map(_is_read, batch.pendings))
        writes = len(batch.pendings) - reads
        for operation, error in batch.failures:
            if isinstance(operation, Get):
                reads -= 1
                self._operations.labels("read", error.code).inc()
            else:
                writes -= 1
                self._operations.labels("write", error.code).inc()
        if reads:
            self._reads.inc(reads)
        if writes:
            self._writes.inc(writes)


def _is_read(pending: Pending) -> bool:
    return isinstance(pending.operation, Get)
