"""Counters: every acknowledged increment counts exactly once, a refused one never.

Verifies: in a ring that has converged the value is the sum of all acknowledged increments plus some subset of those
of unknown outcome; where resets or deletions took part, of those that may or may not have been seen by one. Before
that, for counters from which nothing is taken back, reads lie between the bounds that follow from what the session
knew and what had begun; and counters that only grow are never read smaller by a session that knew better.
Does not verify: reads of counters that are reset before the ring has converged; amounts that are not integers.
"""

from __future__ import annotations

from atoll.crdt.schema import Rule
from atoll.simulation.checkers.black.counter_reads import Bounds, Ledger, amount_of, holds
from atoll.simulation.checkers.black.evidence import Evidence
from atoll.simulation.checkers.black.fields import Field
from atoll.simulation.checkers.black.notebook import Notebook
from atoll.simulation.checkers.black.wording import place_of, shown, told
from atoll.simulation.history import Entry, Status
from atoll.simulation.verdict import CheckerResult


def check(evidence: Evidence) -> CheckerResult | None:
    """``None`` if the plan has no counter."""
    if not evidence.plans(Rule.COUNTER):
        return None
    notebook = Notebook("counters", "I1, I3: every acknowledged increment counts exactly once")
    for field in evidence.fields_of(Rule.COUNTER):
        notebook.legal["increments of unknown outcome"] += sum(e.status is Status.UNKNOWN for e in field.additions)
        if any(type(entry.planned.argument) is not int for entry in [*field.additions, *field.refused]):
            notebook.legal["counters of other numbers, not checked"] += 1
            continue
        _check_values(notebook, field)
        if not field.removals:
            _check_bounds(notebook, field, evidence)
        _check_last(notebook, field, evidence)
    for found in evidence.contradictions:
        if found.field.rule is Rule.COUNTER:
            sentence = (
                f"{place_of(found.read)} went back, though nothing decrements it: {told(found.read)} saw "
                f"{shown(found.read.value)}, and its session knew of {told(found.witness)}, which saw "
                f"{shown(found.witness.value)}"
            )
            notebook.find("counter went back", sentence, found.witness, found.read)
    return notebook.result()


def _check_values(notebook: Notebook, field: Field) -> None:
    for read in field.reads:
        if read.value is not None and type(read.value) is not int:
            sentence = f"{told(read)} saw {shown(read.value)}, which no sum of integers is"
            notebook.find("value from nowhere", sentence, read)


def _check_bounds(notebook: Notebook, field: Field, evidence: Evidence) -> None:
    bounds = Bounds(field, evidence.order)
    for read in field.reads:
        if read.final and evidence.converged:
            continue
        notebook.checks += 1
        least, most = bounds.of(read)
        value = amount_of(read)
        notebook.legal["reads that may lack increments"] += least < most
        if not least <= value <= most:
            anomaly = "increment missing" if value < least else "counted too much"
            sentence = (
                f"{told(read)} saw {value:,}; with what its session knew and what had begun by then it must lie "
                f"between {least:,} and {most:,}"
            )
            notebook.find(anomaly, sentence, read)


def _check_last(notebook: Notebook, field: Field, evidence: Evidence) -> None:
    if not evidence.converged:
        return
    ledger = Ledger(field, evidence.order)
    for read in (read for read in field.reads if read.final):
        notebook.checks += 1
        account = ledger.account(read)
        if not holds(account.reachable(), amount_of(read)):
            notebook.find(
                "wrong sum", _wrong_sum(read, account.certain, account.open), *_suspects(field, read, account.certain)
            )


def _wrong_sum(read: Entry, certain: int, still_open: object) -> str:
    count = len(still_open) if isinstance(still_open, (list, tuple)) else 0
    off = amount_of(read) - certain
    sentence = f"{told(read)} saw {amount_of(read):,}; what was acknowledged adds up to {certain:,}"
    if count:
        return f"{sentence}, and no subset of the {count} increments that may or may not count makes up for {off:+,}"
    return f"{sentence}: {off:+,} too {'much' if off > 0 else 'little'}"


def _suspects(field: Field, read: Entry, certain: int) -> list[Entry]:
    """The increment whose amount is exactly what is wrong, if there is one: counted twice, or not at all."""
    off = abs(amount_of(read) - certain)
    return [*[e for e in field.additions if abs(e.planned.argument) == off][:1], read]
