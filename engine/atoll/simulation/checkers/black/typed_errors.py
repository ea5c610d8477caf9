"""Typed errors only: what fails, fails with an error that the documentation promises for it.

Verifies: every operation that was not answered well carries the code of an error that tells its caller what to do;
reads never end in doubt; a clock is blamed only where one was shifted.
Does not verify: that the error was the right one of those that are possible (availability does, for healthy regions).
Operations that a caller got wrong are findings, too: workloads ask for nothing wrong.
"""

from __future__ import annotations

from atoll.errors import (
    ClockTooFarAhead,
    DeadlineExceeded,
    OutcomeUnknown,
    Overloaded,
    SessionNotCovered,
    StaleRoute,
    Unavailable,
    ZoneNotHosted,
)
from atoll.simulation.checkers.black.evidence import Evidence
from atoll.simulation.checkers.black.notebook import Notebook
from atoll.simulation.checkers.black.wording import told
from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action, FaultKind
from atoll.simulation.verdict import CheckerResult

NOT_ANSWERED = "not_answered"
"""The harness's own word for an operation that did not end in time; the checker of deadlines judges it."""

ALWAYS = frozenset(
    kind.code for kind in (Unavailable, Overloaded, DeadlineExceeded, SessionNotCovered, StaleRoute, ZoneNotHosted)
) | {NOT_ANSWERED}


def check(evidence: Evidence) -> CheckerResult | None:
    """``None`` if the plan does nothing."""
    if not evidence.plan.operations:
        return None
    notebook = Notebook("typed errors", "what fails, fails with an error that says what to do")
    clocks = any(fault.kind is FaultKind.CLOCK for fault in evidence.plan.faults)
    for entry in evidence.history:
        notebook.checks += 1
        if entry.status is not Status.OK:
            notebook.legal[entry.error or "no error"] += 1
            if not _is_documented(entry, clocks):
                sentence = f"{told(entry)} failed with {entry.error or 'no error at all'}: {entry.message}"
                notebook.find("unexpected error", sentence, entry)
    return notebook.result()


def _is_documented(entry: Entry, clocks: bool) -> bool:
    if entry.error == OutcomeUnknown.code:
        return entry.planned.action is not Action.READ
    return entry.error in ALWAYS or (clocks and entry.error == ClockTooFarAhead.code)
