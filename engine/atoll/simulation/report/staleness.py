"""Staleness: how old the newest thing was that a region did not yet know, by reader and origin.

Twice, from two sources that do not share code: by truth, from the samples of the ring's inside; and as clients could
tell, from reads of sets that lacked an element whose addition somewhere else had long been acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from atoll.ids import RegionName
from atoll.simulation.history import Entry, History, Status
from atoll.simulation.plan import Action
from atoll.simulation.report.statistics import Spread, spread
from atoll.simulation.result import Sample

Matrix = Mapping[RegionName, Mapping[RegionName, Spread]]
"""Reader, then origin; only pairs that were measured."""

_Field = tuple[str, str, str, str | None]
_UNADDED = frozenset({Action.REMOVE, Action.RESET, Action.DELETE})


def sampled_staleness(samples: Iterable[Sample]) -> Matrix:
    """Seconds by truth: the age of the oldest commit of origin that reader did not reflect, over the samples."""
    return _matrix((pair, seconds) for sample in samples for pair, seconds in sample.stale_seconds.items())


def seen_staleness(history: History) -> Matrix:
    """Seconds as clients could tell: for each read of a set, the age of the oldest acknowledged addition of each
    other region that it lacked; 0 if it lacked none. Fields from which anything was ever taken away do not count."""
    fields: dict[_Field, list[Entry]] = {}
    for entry in history:
        planned = entry.planned
        fields.setdefault((planned.collection, planned.zone or "", planned.key, planned.field), []).append(entry)
    taken_from = {
        field[:3] for field, entries in fields.items() if any(e.planned.action in _UNADDED for e in entries)
    }
    return _matrix(
        item for field, entries in fields.items() if field[:3] not in taken_from for item in _ages(entries)
    )


def _ages(entries: Sequence[Entry]) -> Iterable[tuple[tuple[RegionName, RegionName], float]]:
    """The ages that each read of one field tells of, by (reader, origin)."""
    additions = [e for e in entries if e.planned.action is Action.ADD and e.status is Status.OK]
    for read in entries:
        if read.planned.action is not Action.READ or read.status is not Status.OK or read.final:
            continue
        known = set(map(repr, read.value)) if isinstance(read.value, (tuple, list)) else set()
        oldest: dict[RegionName, float] = {}
        for addition in additions:
            origin = addition.planned.region
            if addition.ended > read.began or origin == read.planned.region:
                continue
            age = 0.0 if repr(addition.planned.argument) in known else read.began - addition.ended
            oldest[origin] = max(oldest.get(origin, 0.0), age)
        yield from (((read.planned.region, origin), age) for origin, age in oldest.items())


def _matrix(ages: Iterable[tuple[tuple[RegionName, RegionName], float]]) -> Matrix:
    values: dict[RegionName, dict[RegionName, list[float]]] = {}
    for (reader, origin), seconds in ages:
        values.setdefault(reader, {}).setdefault(origin, []).append(seconds)
    return {
        reader: {origin: found for origin in sorted(row) if (found := spread(row[origin])) is not None}
        for reader, row in sorted(values.items())
    }
