"""Backlog: how far regions fell behind each other, how long the logs grew, and how soon they drained.

What is normal is taken from the run itself: the most that was seen before the first incident. Drained is a backlog
that is back at that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from atoll.ids import RegionName
from atoll.simulation.report.incidents import Incident
from atoll.simulation.result import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The highest point of one series. Times are seconds since traffic began."""

    peak: int
    at: float
    normal: int
    """The most before the first incident; 0 without samples from then."""
    mended_at: float | None
    """When the last incident that had begun by the peak ended; ``None`` if none had."""
    drained_at: float | None
    """The first sample after the peak at which it was back at normal; ``None``: not within the run."""

    @property
    def drain_seconds(self) -> float | None:
        """From the mending (from the peak, if that came later or nothing was broken) to drained."""
        if self.drained_at is None:
            return None
        return max(0.0, self.drained_at - max(self.at, self.mended_at or 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Batches of ``origin`` that ``reader`` had yet to apply."""

    reader: RegionName
    origin: RegionName
    batches: Peak


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Rows in the change log of ``shard`` (``region/shard``)."""

    shard: str
    rows: Peak


def backlogs(samples: Sequence[Sample], found: Sequence[Incident]) -> list[Backlog]:
    """The peak of every pair of regions, the highest first."""
    pairs = sorted({pair for sample in samples for pair in sample.behind})
    every = [
        Backlog(reader=reader, origin=origin, batches=_peak(_series(samples, "behind", (reader, origin)), found))
        for reader, origin in pairs
    ]
    return sorted(every, key=lambda each: (-each.batches.peak, each.reader, each.origin))


def logs(samples: Sequence[Sample], found: Sequence[Incident]) -> list[Log]:
    """The peak of every shard's change log, the highest first."""
    shards = sorted({shard for sample in samples for shard in sample.log_rows})
    every = [Log(shard=shard, rows=_peak(_series(samples, "log_rows", shard), found)) for shard in shards]
    return sorted(every, key=lambda each: (-each.rows.peak, each.shard))


def _series(samples: Iterable[Sample], name: str, key: object) -> list[tuple[float, int]]:
    return [(sample.at, getattr(sample, name).get(key, 0)) for sample in samples]


def _peak(series: Sequence[tuple[float, int]], found: Sequence[Incident]) -> Peak:
    first = min((incident.began for incident in found), default=None)
    normal = max((count for at, count in series if first is None or at < first), default=0)
    at, peak = max(series, key=lambda point: (point[1], -point[0]))
    return Peak(
        peak=peak,
        at=at,
        normal=normal,
        mended_at=max((incident.ended for incident in found if incident.began <= at), default=None),
        drained_at=next((when for when, count in series if when >= at and count <= normal), None),
    )
