"""A sender's window: how much it may have on the way to one peer from one shard.

A batch is charged with its rows and a constant, from when it is begun until the peer has made it durable. A batch is
never split between windows: one that is begun is sent to its end, so the peer holds at most the bound and one batch.
"""

from __future__ import annotations

from collections import deque

from atoll.limits import LINK_BATCH_OVERHEAD_BYTES


class Window:
    """Bytes sent and not acknowledged. Invariant: ``in_flight_bytes`` is the sum over batches above the last
    acknowledged number."""

    __slots__ = ("_batches", "_bound_bytes", "_in_flight_bytes")

    def __init__(self, bound_bytes: int) -> None:
        self._bound_bytes = bound_bytes
        self._batches: deque[tuple[int, int]] = deque()
        self._in_flight_bytes = 0

    @property
    def in_flight_bytes(self) -> int:
        return self._in_flight_bytes

    @property
    def in_flight_batches(self) -> int:
        return len(self._batches)

    @property
    def has_room(self) -> bool:
        """Whether another batch may be begun."""
        return self._in_flight_bytes < self._bound_bytes

    def sent(self, number: int, rows_bytes: int) -> None:
        """Charge a batch that was sent whole."""
        assert not self._batches or number > self._batches[-1][0], "batches are sent in order"
        charge = rows_bytes + LINK_BATCH_OVERHEAD_BYTES
        self._batches.append((number, charge))
        self._in_flight_bytes += charge

    def acknowledged(self, number: int) -> None:
        """Release everything up to ``number``; older numbers change nothing."""
        while self._batches and self._batches[0][0] <= number:
            self._in_flight_bytes -= self._batches.popleft()[1]
