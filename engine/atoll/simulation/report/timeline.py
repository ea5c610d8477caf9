"""The window of a run that the timeline shows: around the violation, else the first fault; never the whole run.

Chosen so that it ends just after the violation became visible, that the operations which show it are in it, and that
no more is drawn than a person can follow: of too many events those stay that are closest in time to the operations of
the finding, and the stretches from which events were left out are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from atoll.simulation.history import Entry
from atoll.simulation.naming import region_of
from atoll.simulation.report.findings import moment_of
from atoll.simulation.report.incidents import Incident
from atoll.simulation.result import RunResult, TraceEvent
from atoll.simulation.verdict import Finding

EVENTS_MAX = 300
"""Events in a window. Larger: a picture in which nobody finds anything; smaller: causes fall out of it."""

CLIENTS_MAX = 12
"""Clients in a window, those of the finding first. Larger: the hosts scroll out of sight."""

SECONDS_MIN = 0.4
"""Length of a window. Smaller: an instant without its surroundings."""

SECONDS_MAX = 20.0
"""Length of a window before the moment. Larger: messages become vertical lines."""

MARGIN = 0.08
"""Room on each side of what is shown, as a share of it."""

BLANK_SHARE_MIN = 0.12
"""Share of a window from which an empty stretch is drawn short. Smaller: a picture of many breaks; larger: what is
drawn is crammed together."""

DRAWN = frozenset({"send", "deliver", "drop", "commit", "capture", "apply"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What to draw. Times are seconds since traffic began."""

    began: float
    ended: float
    moment: float
    """What the window was chosen for: when the violation became visible, or the first fault began."""
    events: Sequence[TraceEvent]
    entries: Sequence[Entry]
    violation: bool
    """Whether the moment is one."""
    named: frozenset[int]
    """Indexes of the entries that the finding names."""
    left_out: int
    """Events of the same time that are not drawn: of other regions, or too many."""
    blank: Sequence[tuple[float, float]]
    """Long stretches without any drawn event from which some were left out for being too many."""


def window(result: RunResult, found: Sequence[Incident], finding: Finding | None) -> Window | None:
    """The window; ``None`` if the run was not recorded and nothing was violated, or nothing happened in it."""
    if not result.events and finding is None:
        return None
    named = frozenset(finding.entries if finding else ())
    shown = [entry for entry in result.history if entry.index in named]
    entries = {entry.index: entry for entry in shown}
    moment = moment_of(finding, entries) if finding else _first_moment(result.events, found)
    first = max(min([moment, *(entry.began for entry in shown)]), moment - SECONDS_MAX)
    began, ended = _with_room(first, moment)
    places = _places(finding, shown)
    within = [event for event in result.events if began <= event.at <= ended and event.kind in DRAWN]
    close = [event for event in within if not places or {region_of(event.lane), region_of(event.peer)} & places]
    kept, dropped = _closest(close, [(entry.began, entry.ended) for entry in shown] + [(moment, moment)])
    if dropped:
        began, ended = min(kept[0].at, first), max(kept[-1].at, moment)
    drawn = _entries([e for e in result.history if e.ended >= began and e.began <= ended], shown)
    if not kept and not drawn:
        return None
    return Window(
        began=began,
        ended=ended,
        moment=moment,
        violation=finding is not None,
        events=kept,
        entries=drawn,
        named=named,
        left_out=len(within) - len(kept),
        blank=_blank(kept, dropped, began, ended),
    )


def _first_moment(events: Sequence[TraceEvent], found: Sequence[Incident]) -> float:
    """The first recorded event at or after the first fault; the last of all if there is none."""
    times = [event.at for event in events if event.kind in DRAWN] or [events[-1].at]
    first = min((incident.began for incident in found), default=times[0])
    return next((at for at in times if at >= first), times[-1])


def _with_room(began: float, ended: float) -> tuple[float, float]:
    room = max((SECONDS_MIN - (ended - began)) / 2, MARGIN * (ended - began))
    return began - room, ended + room


def _places(finding: Finding | None, shown: Sequence[Entry]) -> frozenset[str]:
    """The regions that the finding concerns; none means all."""
    regions = [entry.planned.region for entry in shown]
    return frozenset([*regions, *(region_of(place) for place in (finding.places if finding else ()))])


def _closest(
    events: Sequence[TraceEvent], spans: Sequence[tuple[float, float]]
) -> tuple[list[TraceEvent], list[TraceEvent]]:
    """The :data:`EVENTS_MAX` events closest to any of ``spans``, and the others; both in order."""
    order = sorted(range(len(events)), key=lambda place: (_distance(events[place].at, spans), place))
    kept = frozenset(order[:EVENTS_MAX])
    return (
        [event for place, event in enumerate(events) if place in kept],
        [event for place, event in enumerate(events) if place not in kept],
    )


def _distance(at: float, spans: Sequence[tuple[float, float]]) -> float:
    return min(max(began - at, at - ended, 0.0) for began, ended in spans)


def _blank(
    kept: Sequence[TraceEvent], dropped: Sequence[TraceEvent], began: float, ended: float
) -> list[tuple[float, float]]:
    least = BLANK_SHARE_MIN * (ended - began)
    edges = [began, *(event.at for event in kept), ended]
    return [
        (left, right)
        for left, right in pairwise(edges)
        if right - left > least and any(left < event.at < right for event in dropped)
    ]


def _entries(within: Sequence[Entry], shown: Sequence[Entry]) -> list[Entry]:
    """The operations to draw: those of the finding, then of their clients, then on their records; without a finding
    all. No more than :data:`CLIENTS_MAX` clients."""
    clients = {entry.planned.client for entry in shown}
    records = {(entry.planned.collection, entry.planned.key) for entry in shown}
    close = [
        entry
        for entry in within
        if not shown or entry.planned.client in clients or (entry.planned.collection, entry.planned.key) in records
    ]
    order = dict.fromkeys([*(entry.planned.client for entry in shown), *(entry.planned.client for entry in close)])
    kept = frozenset(list(order)[:CLIENTS_MAX])
    return [entry for entry in close if entry.planned.client in kept]
