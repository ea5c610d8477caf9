"""Incidents: the faults of a run as people tell them, and which part of the run each one touched.

A partition is many directed cuts; faults of one story that begin and end together are one incident. An operation is
touched by an incident if any part of it fell within; one that no incident touched is calm. Calm operations are the
measure of *before* and *after*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from atoll.ids import RegionName
from atoll.simulation.history import Entry
from atoll.simulation.plan import Fault, FaultKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One thing that went wrong from ``began`` to ``ended``, in seconds since traffic began."""

    began: float
    ended: float
    title: str
    kinds: Sequence[FaultKind]
    targets: Sequence[str]

    def touches(self, entry: Entry) -> bool:
        """Whether any part of the operation fell within."""
        return entry.began < self.ended and entry.ended >= self.began

    def describe(self) -> str:
        """One line for people: ``frankfurt cut off: cut frankfurt>tokyo, tokyo>frankfurt``."""
        kinds = ", ".join(kind.replace("_", " ") for kind in self.kinds)
        return f"{self.title}: {kinds}" if self.title != kinds else kinds


def incidents(faults: Iterable[Fault]) -> list[Incident]:
    """The incidents of ``faults``, by their beginnings."""
    groups: dict[tuple[float, float, str], list[Fault]] = {}
    for fault in faults:
        groups.setdefault((fault.at_seconds, fault.duration_seconds, fault.story or fault.kind.value), []).append(
            fault
        )
    return [
        Incident(
            began=began,
            ended=began + duration,
            title=title.replace("_", " "),
            kinds=tuple(dict.fromkeys(fault.kind for fault in group)),
            targets=tuple(dict.fromkeys(target for fault in group for target in fault.targets)),
        )
        for (began, duration, title), group in sorted(groups.items(), key=lambda item: item[0])
    ]


def losses(faults: Iterable[Fault]) -> list[tuple[RegionName, float, float]]:
    """Each region that was lost whole, from when to when."""
    return sorted(
        (RegionName(region), fault.at_seconds, fault.at_seconds + fault.duration_seconds)
        for fault in faults
        if fault.kind is FaultKind.LOSE_REGION
        for region in fault.targets
    )


def calm(entry: Entry, among: Iterable[Incident]) -> bool:
    """Whether no incident touched the operation."""
    return not any(incident.touches(entry) for incident in among)
