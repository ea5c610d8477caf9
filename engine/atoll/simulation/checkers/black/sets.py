"""Sets from which nothing is ever taken: no acknowledged element is lost, and none appears that nobody added.

Verifies: once an addition is known - to the reader's session, or to everybody when the ring has converged - every
read shows it; what reads show was added, not refused, not listed twice, and not before its addition began.
Counts as legal: reads that lack what was acknowledged elsewhere, two reads of which neither includes the other (a
long fork), elements of acknowledged additions that nobody read, and how long additions took to become visible
(Jepsen's *set-full*: from the acknowledgement to the beginning of the last read in the region that lacks it).
Does not verify: sets with removals (:mod:`~atoll.simulation.checkers.black.add_remove` does), nor reads without
knowledge of the addition: these may lack it for as long as they like.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from atoll.crdt.schema import Rule
from atoll.ids import RegionName
from atoll.simulation.checkers.black.contradictions import Contradiction
from atoll.simulation.checkers.black.evidence import Evidence
from atoll.simulation.checkers.black.fields import Field, elements_of, same
from atoll.simulation.checkers.black.notebook import Notebook
from atoll.simulation.checkers.black.odd_values import tell_odd_values
from atoll.simulation.checkers.black.wording import shown, told
from atoll.simulation.history import Entry, Status
from atoll.simulation.verdict import CheckerResult

Waits = dict[tuple[RegionName, RegionName], list[float]]
"""Seconds from the acknowledgement to lasting visibility, by region of the writer and of the reader."""


def check(evidence: Evidence) -> CheckerResult | None:
    """``None`` if the plan has no such set."""
    if not evidence.plans_sets(shrinking=False):
        return None
    notebook = Notebook("sets", "I1, I3: an acknowledged element is never lost, and none comes from nowhere")
    fields = [field for field in evidence.fields_of(Rule.ADD_WINS_SET) if field.key not in evidence.shrinking]
    keys = {field.key for field in fields}
    waits: Waits = defaultdict(list)
    for field in fields:
        notebook.checks += sum(1 for _ in field.reads)
        _measure(field, notebook, waits)
    tell_odd_values(notebook, [odd for odd in evidence.provenance.odd if odd.field.key in keys])
    for contradiction in evidence.contradictions:
        if contradiction.field.key in keys:
            _lost(notebook, contradiction)
    _tell_waits(notebook, waits)
    return notebook.result()


def _lost(notebook: Notebook, found: Contradiction) -> None:
    element = shown(found.witness.planned.argument)
    how = "though everything had converged" if found.read.final else "though its session knew of it"
    sentence = f"{element} is lost: {told(found.read)} lacks it {how}; it was brought by {told(found.witness)}"
    notebook.find("lost element", sentence, found.witness, found.read)


# -- what is legal ------------------------------------------------------------------------------------------------


def _measure(field: Field, notebook: Notebook, waits: Waits) -> None:
    """Staleness, forks and what was never read."""
    reads = [(read, frozenset(map(same, elements_of(read)))) for read in field.reads if not read.final]
    acknowledged = sorted((e for e in field.additions if e.status is Status.OK), key=lambda entry: entry.ended)
    notebook.legal["long forks"] += sum(not (a <= b or b <= a) for (_, a), (_, b) in pairwise(reads))
    seen = frozenset().union(*(elements for _, elements in reads))
    notebook.legal["elements never read before the end"] += sum(
        same(entry.planned.argument) not in seen for entry in acknowledged
    )
    for region in dict.fromkeys(read.planned.region for read, _ in reads):
        mine = [(read, elements) for read, elements in reads if read.planned.region == region]
        notebook.legal["stale reads"] += _visibility(region, mine, acknowledged, waits)


def _visibility(
    region: RegionName, reads: Sequence[tuple[Entry, frozenset[Any]]], acknowledged: Sequence[Entry], waits: Waits
) -> int:
    """Walk a region's reads from the last to the first; returns how many lacked something acknowledged.

    The first absence that is met on the way back is the last one in time: it ends the wait for the element.
    """
    backwards = sorted(reads, key=lambda pair: pair[0].began, reverse=True)
    remaining = [entry for entry in acknowledged if entry.ended < backwards[0][0].began]
    by_element = {same(entry.planned.argument): entry for entry in remaining}
    known, unresolved, stale = set(by_element), set(by_element), 0
    resolved: list[tuple[Entry, float]] = []
    for read, elements in backwards:
        while remaining and remaining[-1].ended >= read.began:
            known.discard(same(remaining.pop().planned.argument))
        lacking = known - elements
        stale += bool(lacking)
        resolved += [(by_element[e], read.began - by_element[e].ended) for e in lacking & unresolved]
        unresolved -= lacking
    resolved += [(by_element[element], 0.0) for element in unresolved]
    for entry, seconds in resolved:
        waits[entry.planned.region, region].append(seconds)
    return stale


def _tell_waits(notebook: Notebook, waits: Waits) -> None:
    for (origin, reader), seconds in sorted(waits.items()):
        seconds.sort()
        for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
            notebook.legal[f"visible {origin}>{reader} {name} ms"] = round(_quantile(seconds, share) * 1000)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
