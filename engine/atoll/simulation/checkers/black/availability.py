"""Availability: a region whose own machines are well serves what it holds, whoever else is out of reach.

Verifies: an operation on a zone that its region may hold succeeds, if since ``RECOVERY_SECONDS`` before it began and
until it ended no fault was on a node or shard of the region itself. Cuts and slow links to others are no excuse, nor
is the loss of other regions. Only a session that knows of another region (its client was there, or was told by
somebody who was, or asked for a zone held elsewhere) may be refused with ``session_not_covered``, and is counted.
Does not verify: regions that are ill or just were, operations with very short timeouts, refusals because of too much
load (counted), or how many operations have to succeed in an ill region (the scenario's expectation says that).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from atoll.ids import RegionName
from atoll.keyspace.topology import Topology
from atoll.simulation.checkers.black.evidence import Evidence
from atoll.simulation.checkers.black.fields import record_key
from atoll.simulation.checkers.black.notebook import Notebook
from atoll.simulation.checkers.black.wording import told
from atoll.simulation.history import Entry, Status
from atoll.simulation.limits import JUDGED_TIMEOUT_SECONDS_MIN, RECOVERY_SECONDS
from atoll.simulation.plan import Fault, FaultKind, Plan
from atoll.simulation.verdict import CheckerResult

Spans = Sequence[tuple[float, float]]

LINK_FAULTS = (FaultKind.CUT, FaultKind.DEGRADE)

_ROUNDING_SECONDS = 0.001
"""An operation that a fault ends at once may be told to have ended a rounding error before it."""

EXCUSES = frozenset({"session_not_covered", "deadline_exceeded"})
"""What a session that knows of another region may be told: the second if the refusal itself comes too late."""


def check(evidence: Evidence) -> CheckerResult | None:
    """``None`` if the plan does nothing."""
    if not evidence.plan.operations:
        return None
    notebook = Notebook("availability", "a region that is well serves what it holds, however cut off it is")
    ill = ill_spans(evidence.plan)
    for entry, known in _with_known_regions(evidence):
        region = entry.planned.region
        if region not in hosts(entry, evidence.topology) or entry.final:
            continue
        if entry.planned.timeout_seconds < JUDGED_TIMEOUT_SECONDS_MIN or _touches(entry, ill.get(region, ())):
            continue
        notebook.checks += 1
        if entry.status is not Status.OK:
            _judge(notebook, entry, known - {region})
    return notebook.result()


def _judge(notebook: Notebook, entry: Entry, elsewhere: frozenset[RegionName]) -> None:
    if entry.error == "overloaded":
        notebook.legal["refused because of too much load"] += 1
    elif elsewhere and entry.error in EXCUSES:
        notebook.legal["sessions from elsewhere not covered"] += 1
    elif entry.error == "not_answered":
        notebook.legal["not answered, see deadlines"] += 1
    else:
        sentence = (
            f"{told(entry)} failed with {entry.error or 'no error'} although {entry.planned.region} was well"
            f"{'' if elsewhere else ' and the session knew of no other region'}: {entry.message}"
        )
        notebook.find("healthy region refused", sentence, entry)


def ill_spans(plan: Plan) -> Mapping[RegionName, Spans]:
    """When each region's own machines were not well, with the time it takes to recover."""
    spans: dict[RegionName, list[tuple[float, float]]] = {}
    for fault in plan.faults:
        if fault.kind in LINK_FAULTS:
            continue
        for target in fault.targets:
            region = RegionName(target.partition("/")[0])
            spans.setdefault(region, []).append((fault.at_seconds, _end(fault, plan)))
    return spans


def _end(fault: Fault, plan: Plan) -> float:
    if fault.kind is FaultKind.CLOCK and fault.parameters.get("keep"):
        return math.inf
    return min(fault.at_seconds + fault.duration_seconds, plan.seconds) + RECOVERY_SECONDS


def hosts(entry: Entry, topology: Topology) -> Sequence[RegionName]:
    """The regions that may hold the operation's record."""
    return topology.zone(record_key(entry.planned, topology).zone).regions


def _touches(entry: Entry, spans: Spans) -> bool:
    return any(begin - _ROUNDING_SECONDS <= entry.ended and entry.began <= end for begin, end in spans)


def _with_known_regions(evidence: Evidence) -> Iterator[tuple[Entry, frozenset[RegionName]]]:
    """Each entry with the regions that its client's token may name: where the client asked so far, where it was
    forwarded to, and the same of all that it heard from. By client, not by session, to be on the safe side."""
    known: dict[str, frozenset[RegionName]] = {}
    nowhere: frozenset[RegionName] = frozenset()
    for entry in evidence.history:
        planned = entry.planned
        holding = hosts(entry, evidence.topology)
        asked = {planned.region, *([] if planned.region in holding else holding)}
        told_of = known.get(planned.hears, nowhere) if planned.hears else nowhere
        known[planned.client] = known.get(planned.client, nowhere) | asked | told_of
        yield entry, known[planned.client]
