"""Registers: causal convergence. No causally older write wins, and one order of the writes explains all reads.

Verifies the bad patterns of Bouajjani, Enea, Guerraoui, Hamza, *On Verifying Causal Consistency* (POPL 2017), over
session order, reads-from and what clients told each other: ThinAirRead, WriteCOInitRead, WriteCORead, CyclicCO and
CyclicCF. Once the ring has converged every read knows of everything acknowledged. Clocks that are wrong do not excuse
a write that loses to what it had seen.
Counts as legal: stale reads, and values that lost to a concurrent write.
Does not verify: which of two concurrent writes wins (the grey box compares timestamps), nor reads of a value that
more than one operation wrote. Deletions and resets count as overwriting what their session knew of.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from atoll.crdt.schema import Rule
from atoll.simulation.checkers.black.arbitration import Preference, circles
from atoll.simulation.checkers.black.contradictions import Contradiction, Kind
from atoll.simulation.checkers.black.evidence import Evidence
from atoll.simulation.checkers.black.fields import Field, same
from atoll.simulation.checkers.black.happens_before import HappensBefore
from atoll.simulation.checkers.black.notebook import Notebook
from atoll.simulation.checkers.black.odd_values import tell_odd_values
from atoll.simulation.checkers.black.register_reads import preferences, source_by_value
from atoll.simulation.checkers.black.wording import place_of, shown, told
from atoll.simulation.history import Entry, Status
from atoll.simulation.verdict import CheckerResult


def check(evidence: Evidence) -> CheckerResult | None:
    """``None`` if the plan has no register."""
    if not evidence.plans(Rule.LWW):
        return None
    notebook = Notebook("registers", "I3, I4: causal convergence of last-writer-wins registers")
    fields = list(evidence.fields_of(Rule.LWW))
    keys = {field.key for field in fields}
    for field in fields:
        notebook.checks += len(field.reads)
        notebook.legal["stale reads"] += _stale_reads(field, evidence.order)
        notebook.legal["values that lost to a concurrent write"] += _discarded(field, evidence.order)
    tell_odd_values(notebook, [odd for odd in evidence.provenance.odd if odd.field.key in keys])
    for contradiction in evidence.contradictions:
        if contradiction.field.key in keys:
            _tell(notebook, contradiction)
    if evidence.order.cycle:
        _tell_cycle(notebook, evidence.order.cycle)
    found = [preference for field in fields for preference in preferences(field, evidence.order)]
    for circle in circles(found, evidence.order):
        _tell_circle(notebook, circle)
    return notebook.result()


# -- findings -----------------------------------------------------------------------------------------------------


def _tell(notebook: Notebook, found: Contradiction) -> None:
    read, witness = found.read, found.witness
    knew = "though everything had converged" if read.final else "though its session knew of the later one"
    if found.kind is Kind.INITIAL:
        anomaly = "written register is empty"
        sentence = f"{told(read)} found nothing, {knew.replace('the later one', 'it')}: {told(witness)}"
    else:
        assert found.undone is not None
        anomaly = "older write won" if read.final else "overwritten value was read"
        sentence = (
            f"{told(read)} saw {shown(read.value)}, written by {told(found.undone)}, which {told(witness)} had "
            f"overwritten, {knew}"
        )
    notebook.find(anomaly, sentence, *([] if found.undone is None else [found.undone]), witness, read)


def _tell_cycle(notebook: Notebook, cycle: Sequence[Entry]) -> None:
    chain = ", which knew of ".join(told(entry) for entry in cycle)
    notebook.find("causal circle", f"operations that each knew of the one before, in a circle: {chain}", *cycle)


def _tell_circle(notebook: Notebook, circle: Sequence[Preference]) -> None:
    parts = [
        f"{told(read)} shows {shown(winner.planned.argument)} and knew of {shown(loser.planned.argument)}"
        for loser, winner, read in circle
    ]
    where = ", ".join(dict.fromkeys(place_of(winner) for _, winner, _ in circle))
    entries = [entry for preference in circle for entry in preference]
    sentence = f"no one order of the writes to {where} explains what was read: {'; '.join(parts)}"
    notebook.find("readers disagree on the order of writes", sentence, *entries)


# -- what is legal ------------------------------------------------------------------------------------------------


def _stale_reads(field: Field, order: HappensBefore) -> int:
    """Reads that show a value which an acknowledged write had overwritten before the read began."""
    sources = source_by_value(field)
    overwriters = _Overwriters([entry for entry in field.additions if entry.status is Status.OK], order)
    overwritten_at: dict[int, float] = {}
    stale = 0
    for read in field.reads:
        source = None if read.value is None else sources.get(same(read.value))
        if source is not None:
            if source.index not in overwritten_at:
                overwriter = overwriters.first(source)
                overwritten_at[source.index] = overwriter.ended if overwriter else math.inf
            stale += overwritten_at[source.index] < read.began
    return stale


def _discarded(field: Field, order: HappensBefore) -> int:
    """Acknowledged values that nothing overwrote and that are not what the field holds in the end."""
    last = {same(read.value) for read in field.reads if read.final}
    if len(last) != 1 or field.removals:
        return 0
    overwriters = _Overwriters(field.additions, order)
    lost = [entry for entry in field.additions if same(entry.planned.argument) not in last]
    return sum(entry.status is Status.OK and overwriters.first(entry) is None for entry in lost)


class _Overwriters:
    """Writes to one register by their end, to find the first one that knew of another."""

    def __init__(self, writes: Iterable[Entry], order: HappensBefore) -> None:
        self._order = order
        self._writes = sorted(writes, key=lambda entry: entry.ended)
        self._ends = [entry.ended for entry in self._writes]

    def first(self, source: Entry) -> Entry | None:
        """The write that knew of ``source`` and ended first. Most are found within a few steps."""
        begin = bisect_right(self._ends, source.began)
        after = (write for write in self._writes[begin:] if self._order.before(source, write))
        return next(after, None)
