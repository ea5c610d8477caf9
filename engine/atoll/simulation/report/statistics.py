"""Quantiles and shares, each with the number of things it rests on.

Quantiles are nearest ranks: always a value that was measured, never one between two.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from atoll.simulation.history import Entry, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a measured quantity was spread. There is none of no values: see :func:`spread`."""

    count: int
    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of a number of operations."""

    ok: int = 0
    failed: int = 0
    unknown: int = 0

    @property
    def asked(self) -> int:
        """All of them."""
        return self.ok + self.failed + self.unknown

    @property
    def share(self) -> float | None:
        """The share that went well; an unknown outcome did not, for whoever asked. ``None`` if nobody asked."""
        return self.ok / self.asked if self.asked else None

    def __add__(self, other: Tally) -> Tally:
        return Tally(ok=self.ok + other.ok, failed=self.failed + other.failed, unknown=self.unknown + other.unknown)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The least of ``ordered`` (ascending, not empty) such that ``share`` of them are not greater."""
    assert ordered, "no values have no quantile"
    assert 0 <= share <= 1, "a quantile is a share"
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(values: Iterable[float]) -> Spread | None:
    """The spread of ``values``; ``None`` if there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    return Spread(count=len(ordered), p50=quantile(ordered, 0.5), p99=quantile(ordered, 0.99), max=ordered[-1])


def tally(entries: Iterable[Entry]) -> Tally:
    """What became of ``entries``."""
    counts = dict.fromkeys(Status, 0)
    for entry in entries:
        counts[entry.status] += 1
    return Tally(ok=counts[Status.OK], failed=counts[Status.FAILED], unknown=counts[Status.UNKNOWN])
