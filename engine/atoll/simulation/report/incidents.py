"""Incidents: the faults of a run as people tell them, and which part of the run each one touched.

A partition is many directed cuts and a flapping link many short ones: faults of one story are one incident as long as
they follow each other closely. An operation is touched by an incident if any part of it fell within one of its
windows; one that no incident touched is calm. Calm operations are the measure of *before* and *after*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from atoll.ids import RegionName
from atoll.simulation.history import Entry
from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.report.words import listed

STORY_GAP_SECONDS = 5.0
"""Between two faults of one story. Smaller: a flapping link is many incidents; larger: two cuts with a recovery in
between are one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One thing that went wrong, in seconds since traffic began; ``windows`` are the times in which it held."""

    title: str
    windows: Sequence[tuple[float, float]]
    kinds: Sequence[FaultKind]
    targets: Sequence[str]
    faults: int

    @property
    def began(self) -> float:
        """The beginning of the first window."""
        return self.windows[0][0]

    @property
    def ended(self) -> float:
        """The end of the last window."""
        return max(ended for _, ended in self.windows)

    def touches(self, entry: Entry) -> bool:
        """Whether any part of the operation fell within."""
        return any(entry.began < ended and entry.ended >= began for began, ended in self.windows)


def incidents(faults: Iterable[Fault], until_seconds: float = float("inf")) -> list[Incident]:
    """The incidents of ``faults``, by their beginnings. Nothing lasts longer than ``until_seconds``, when traffic
    ends and everything is mended."""
    groups: list[list[Fault]] = []
    for fault in sorted(faults, key=lambda each: (each.at_seconds, each.duration_seconds, each.kind, each.targets)):
        group = next((group for group in reversed(groups) if _goes_on(group, fault)), None)
        if group is None:
            groups.append([fault])
        else:
            group.append(fault)
    return [_incident(group, until_seconds) for group in groups]


def title_of(faults: Sequence[Fault]) -> str:
    """The story as it was told, or its word and what it was done to: ``crash node frankfurt/n1``, ``link frankfurt,
    tokyo``."""
    word = (faults[0].story or faults[0].kind).replace("_", " ")
    if " " in faults[0].story:
        return word
    return f"{word} {listed(_done_to(faults), most=4)}"


def _done_to(faults: Sequence[Fault]) -> list[str]:
    """What the faults have an end at; of a region that is isolated from all others that region alone."""
    ends = list(dict.fromkeys(end for fault in faults for end in _ends(fault)))
    shared = [end for end in ends if all(end in _ends(fault) for fault in faults)]
    return shared if faults[0].story == "isolate" and len(shared) == 1 else ends


def merged(among: Sequence[Incident], title: str) -> Incident:
    """All of ``among`` (at least one) as if they were one."""
    assert among, "no incidents cannot be merged"
    return Incident(
        title=title,
        windows=sorted(window for incident in among for window in incident.windows),
        kinds=tuple(dict.fromkeys(kind for incident in among for kind in incident.kinds)),
        targets=tuple(dict.fromkeys(target for incident in among for target in incident.targets)),
        faults=sum(incident.faults for incident in among),
    )


def losses(faults: Iterable[Fault], until_seconds: float = float("inf")) -> list[tuple[RegionName, float, float]]:
    """Each region that was lost whole, from when to when."""
    return sorted(
        (RegionName(region), fault.at_seconds, min(until_seconds, fault.at_seconds + fault.duration_seconds))
        for fault in faults
        if fault.kind is FaultKind.LOSE_REGION
        for region in fault.targets
    )


def calm(entry: Entry, among: Iterable[Incident]) -> bool:
    """Whether no incident touched the operation."""
    return not any(incident.touches(entry) for incident in among)


def _goes_on(group: Sequence[Fault], fault: Fault) -> bool:
    """Whether the fault belongs to the group's story. One fault told by its own kind is a story of its own, unless it
    is done to the same again."""
    first = group[0]
    if first.story != fault.story or (not fault.story and first.kind is not fault.kind):
        return False
    if fault.at_seconds > max(each.at_seconds + each.duration_seconds for each in group) + STORY_GAP_SECONDS:
        return False
    if fault.story in ("", fault.kind):
        return first.targets == fault.targets
    return not {end for each in group for end in _ends(each)}.isdisjoint(_ends(fault))


def _ends(fault: Fault) -> list[str]:
    """What a fault is done to; of links their ends."""
    return [end for target in fault.targets for end in target.split(">")]


def _incident(group: Sequence[Fault], until_seconds: float) -> Incident:
    windows = ((each.at_seconds, min(until_seconds, each.at_seconds + each.duration_seconds)) for each in group)
    return Incident(
        title=title_of(group),
        windows=sorted(dict.fromkeys(windows)),
        kinds=tuple(dict.fromkeys(fault.kind for fault in group)),
        targets=tuple(dict.fromkeys(target for fault in group for target in fault.targets)),
        faults=len(group),
    )
