"""The end: after everything was mended and the ring has converged, every region answers, and all give one answer.

Verifies: for each field that was touched, the last reads of all regions that may hold its zone are equal, in value
and in whether the record exists; and each of these reads is answered.
Does not verify: that the ring converges in time (the world judges that), nor that the answer is the right one (the
checkers of each merge rule do). Before the ring has converged nothing is compared.
"""

from __future__ import annotations

from typing import Any

from atoll.simulation.checkers.black.evidence import Evidence
from atoll.simulation.checkers.black.fields import FieldKey, record_key, same
from atoll.simulation.checkers.black.notebook import Notebook
from atoll.simulation.checkers.black.wording import place_of, shown, told
from atoll.simulation.history import Entry, Status
from atoll.simulation.verdict import CheckerResult


def check(evidence: Evidence) -> CheckerResult | None:
    """``None`` if the plan does nothing."""
    if not evidence.plan.operations:
        return None
    notebook = Notebook("agreement", "I3: in the end all regions answer, and all answer the same")
    if not evidence.converged:
        notebook.undecided("the ring had not converged when it was read for the last time")
        return notebook.result()
    by_field: dict[FieldKey, list[Entry]] = {}
    for entry in evidence.last_reads:
        key = FieldKey(record_key(entry.planned, evidence.topology), entry.planned.field or "")
        by_field.setdefault(key, []).append(entry)
        if entry.status is not Status.OK:
            sentence = f"{told(entry)} was not answered after everything was mended: {entry.error} {entry.message}"
            notebook.find("no answer at the end", sentence.rstrip(), entry)
    for entries in by_field.values():
        _compare(notebook, [entry for entry in entries if entry.status is Status.OK])
    return notebook.result()


def _compare(notebook: Notebook, reads: list[Entry]) -> None:
    if not reads:
        return
    notebook.checks += 1
    first = reads[0]
    other = next((read for read in reads if _answer(read) != _answer(first)), None)
    if other is not None:
        sentence = (
            f"{place_of(first)} is {_words(first)} in {first.planned.region} and {_words(other)} in "
            f"{other.planned.region}, though everything had converged"
        )
        notebook.find("regions differ in the end", sentence, first, other)


def _answer(read: Entry) -> Any:
    value = list(read.value) if isinstance(read.value, tuple) else read.value
    return read.exists, same(value)


def _words(read: Entry) -> str:
    if read.value is None:
        return "empty" if read.exists else "of no record"
    return shown(read.value)
