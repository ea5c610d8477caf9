"""The black box: what clients saw, by values and times alone, judged by every promise that can be seen from outside.

It knows nothing of dots, contexts or cuts, which are products of the code under test, and so is an independent
referee beside the grey box. The rules of the house against false alarms: an operation is done, not done or in doubt;
one in doubt is concurrent with everything after it; times are the harness's; nothing is asked that was not promised;
what a promise allows is counted, not found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from atoll.keyspace.topology import Topology
from atoll.simulation.checkers.black import (
    add_remove,
    agreement,
    availability,
    counters,
    deadlines,
    out_of_band,
    registers,
    sessions,
    sets,
    typed_errors,
)
from atoll.simulation.checkers.black.evidence import Evidence
from atoll.simulation.history import History
from atoll.simulation.plan import Plan
from atoll.simulation.verdict import CheckerResult, Verdict

Checker = Callable[[Evidence], CheckerResult | None]
"""Says what it has to say, or ``None`` where the plan gives it nothing to look at."""

CHECKERS: Final[Mapping[str, Checker]] = MappingProxyType(
    {
        "sets": sets.check,
        "add and remove": add_remove.check,
        "counters": counters.check,
        "registers": registers.check,
        "sessions": sessions.check,
        "out-of-band causality": out_of_band.check,
        "agreement": agreement.check,
        "availability": availability.check,
        "typed errors": typed_errors.check,
        "deadlines": deadlines.check,
    }
)
"""By name, in the order of reports."""


def check_history(history: History, topology: Topology, plan: Plan, *, converged: bool) -> Sequence[CheckerResult]:
    """What every checker with something to look at has to say. ``converged``: whether the ring had come to agree, as
    the world saw it, when the last reads were made. A checker that fails itself is unknown, and says why."""
    return list(_results(Evidence(history, topology, plan, converged=converged)))


def _results(evidence: Evidence) -> Iterator[CheckerResult]:
    for name, check in CHECKERS.items():
        try:
            result = check(evidence)
        except Exception as error:
            yield CheckerResult(
                checker=name,
                promise="what this checker verifies could not be checked",
                verdict=Verdict.UNKNOWN,
                checks=0,
                note=f"the checker failed: {error!r}",
            )
        else:
            if result is not None:
                yield result
