"""Quantiles over the last few samples: what a peer's lag has been lately."""

from __future__ import annotations

from collections import deque

from atoll.limits import LAG_SAMPLES


class LagWindow:
    """A sliding window of lag samples in seconds; bounded, the oldest fall out."""

    __slots__ = ("_samples",)

    def __init__(self, capacity: int = LAG_SAMPLES) -> None:
        self._samples: deque[float] = deque(maxlen=capacity)

    def add(self, seconds: float) -> None:
        """Note one sample."""
        self._samples.append(seconds)

    def quantile(self, fraction: float) -> float:
        """The smallest sample that at least ``fraction`` of all samples do not exceed; 0.0 if there are none."""
        assert 0.0 < fraction <= 1.0, "a fraction of the samples"
        ordered = sorted(self._samples)
        if not ordered:
            return 0.0
        rank = -(-len(ordered) * fraction // 1)
        return ordered[max(0, int(rank) - 1)]
