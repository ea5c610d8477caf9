"""The one thing that every campaign does many times: run a scenario with a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from atoll.simulation.plan import Plan
from atoll.simulation.result import RunResult
from atoll.simulation.scenario.scenario import Scenario
from atoll.simulation.verdict import Finding, Verdict


class Runner(Protocol):
    """Runs one seed to its end, synchronously. The same arguments give the same result, trace hash included.

    ``plan`` replaces the one that the seed would make; ``record`` keeps the events of the trace. A runner that
    crosses to worker processes must be a function at the top of a module.
    """

    def __call__(
        self, scenario: Scenario, seed: int, plan: Plan | None = None, *, record: bool = False
    ) -> RunResult: ...


def findings_of(result: RunResult) -> Sequence[Finding]:
    """What the checkers found, the earliest first; only of checkers whose verdict is *violated*."""
    found = [
        finding for checker in result.checkers if checker.verdict is Verdict.VIOLATED for finding in checker.findings
    ]
    return sorted(found, key=lambda finding: (finding.at, finding.checker, finding.anomaly))


def run_simulated(scenario: Scenario, seed: int, plan: Plan | None = None, *, record: bool = False) -> RunResult:
    """The :class:`Runner` that really simulates. It loads the engine only when it is first called."""
    from atoll.simulation.running import run

    return run(scenario, seed, plan, record=record)
