"""Availability as the applications of a region felt it: which share of what they asked for went well.

Reads and writes apart, by the region that was asked; before, during and after each incident; and during the loss of
each whole region. Reads of the end, after everything was mended, are the harness's own and do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from atoll.ids import RegionName
from atoll.simulation.history import Entry, History, Status
from atoll.simulation.plan import Action
from atoll.simulation.report.incidents import Incident, calm, merged
from atoll.simulation.report.statistics import Tally, tally


class OperationClass(StrEnum):
    """Availability is another matter for those that only read."""

    READ = "read"
    WRITE = "write"


ByRegion = Mapping[RegionName, Mapping[OperationClass, Tally]]
"""A tally for every region and class; empty tallies where nobody asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Availability around one incident: of the calm operations before it, of those it touched, of the calm ones
    after it; and the typed errors of those it touched that failed."""

    incident: Incident
    before: ByRegion
    during: ByRegion
    after: ByRegion
    errors: Mapping[RegionName, Mapping[str, int]]


def class_of(entry: Entry) -> OperationClass:
    """What kind of operation it was."""
    return OperationClass.READ if entry.planned.action is Action.READ else OperationClass.WRITE


def asked_by_clients(history: History) -> list[Entry]:
    """The history without the harness's own reads of the end."""
    return [entry for entry in history if not entry.final]


def availability(entries: Iterable[Entry], regions: Sequence[RegionName]) -> ByRegion:
    """What became of ``entries``, by the region that was asked and by class."""
    parts: dict[tuple[RegionName, OperationClass], list[Entry]] = {}
    for entry in entries:
        parts.setdefault((entry.planned.region, class_of(entry)), []).append(entry)
    return {region: {kind: tally(parts.get((region, kind), ())) for kind in OperationClass} for region in regions}


def phases(entries: Sequence[Entry], found: Sequence[Incident], regions: Sequence[RegionName]) -> list[Phases]:
    """Availability around each incident, in their order."""
    quiet = [entry for entry in entries if calm(entry, found)]
    return [
        _around(incident, [entry for entry in entries if incident.touches(entry)], quiet, regions)
        for incident in found
    ]


def phases_of_all(
    entries: Sequence[Entry], found: Sequence[Incident], regions: Sequence[RegionName]
) -> Phases | None:
    """Availability around all incidents as if they were one: before the first, touched by any, after the last.
    Calm operations between two incidents are in none of the three. ``None`` without incidents."""
    if not found:
        return None
    quiet = [entry for entry in entries if calm(entry, found)]
    touched = [entry for entry in entries if not calm(entry, found)]
    return _around(merged(found, "all faults"), touched, quiet, regions)


def unavailable(entries: Iterable[Entry], regions: Sequence[RegionName]) -> Mapping[RegionName, Mapping[str, int]]:
    """The typed errors of what did not go well, by region, the most frequent first."""
    counts: dict[RegionName, Counter[str]] = {region: Counter() for region in regions}
    for entry in entries:
        if entry.status is not Status.OK and entry.planned.region in counts:
            counts[entry.planned.region][entry.error or f"{entry.status} without an error"] += 1
    return {region: dict(sorted(c.items(), key=lambda item: (-item[1], item[0]))) for region, c in counts.items()}


def while_lost(
    entries: Sequence[Entry], lost: Sequence[tuple[RegionName, float, float]], regions: Sequence[RegionName]
) -> Mapping[RegionName, Mapping[RegionName, Tally]]:
    """By the lost region, then by the region asked: what became of operations that began while it was lost."""
    found: dict[RegionName, dict[RegionName, Tally]] = {}
    for region, began, ended in lost:
        tallies = found.setdefault(region, dict.fromkeys(regions, Tally()))
        for asked in regions:
            here = _asked_within(asked, began, ended)
            tallies[asked] = tallies[asked] + tally(entry for entry in entries if here(entry))
    return found


def _asked_within(region: RegionName, began: float, ended: float) -> Callable[[Entry], bool]:
    return lambda entry: entry.planned.region == region and began <= entry.began < ended


def _around(
    incident: Incident, touched: Sequence[Entry], quiet: Sequence[Entry], regions: Sequence[RegionName]
) -> Phases:
    return Phases(
        incident=incident,
        before=availability((entry for entry in quiet if entry.ended < incident.began), regions),
        during=availability(touched, regions),
        after=availability((entry for entry in quiet if entry.began >= incident.ended), regions),
        errors=unavailable(touched, regions),
    )
