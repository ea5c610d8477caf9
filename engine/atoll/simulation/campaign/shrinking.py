"""Shrinking: from a run that failed to the smallest one found that still fails in the same way.

Operations and faults are lists, so delta debugging works on them (:mod:`atoll.simulation.campaign.ddmin`); everything
else is tried by small steps (:mod:`atoll.simulation.campaign.reductions`). The steps are repeated until none of them
helps. Removing an operation shifts everything that comes after, and may hide a race that is still there: small cases,
which cost little, are therefore tried with a few other seeds before they count as passing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from atoll.simulation.campaign.case import Case, Failure
from atoll.simulation.campaign.ddmin import ddmin
from atoll.simulation.campaign.reductions import (
    cut_short,
    fewer_targets,
    groups,
    joined,
    merged_faults,
    plainer_worlds,
    shorter_faults,
    shorter_runs,
    without_hearsay,
)
from atoll.simulation.campaign.runs import Runner, findings_of
from atoll.simulation.campaign.smaller_rings import smaller_rings
from atoll.simulation.plan import PlannedOperation
from atoll.simulation.stopwatch import Stopwatch

SMALL_OPERATIONS = 50
"""Operations up to which a case is tried with other seeds, too. Larger: shrinking takes longer; smaller: it stops at
cases that are larger than they need be."""

Reduction = Callable[[Case], Iterator[Case]]

_STEPS: Sequence[tuple[str, Reduction]] = (
    ("plainer chance", plainer_worlds),
    ("fewer regions and shards", smaller_rings),
    ("fewer targets", fewer_targets),
    ("merging faults", merged_faults),
    ("shorter faults", shorter_faults),
    ("less hearsay", without_hearsay),
    ("shorter runs", shorter_runs),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much work shrinking may be. When either is spent, the smallest case so far is the answer."""

    runs_max: int = 600
    seconds_max: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrinking:
    """How far it has got, for people who wait."""

    doing: str
    runs: int
    smallest: Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrunk:
    """The end of it."""

    original: Case
    smallest: Case
    failure: Failure
    runs: int
    seconds: float
    stopped: str
    """Why it ended before no step helped any more; empty if it did not."""

    def describe(self) -> str:
        """``1,240 operations, 9 faults, 60 s, 3 regions → 4 operations, 1 fault, 2 s, 2 regions``."""
        return f"{size_of(self.original)} → {size_of(self.smallest)}"


class CannotShrink(Exception):
    """The case does not fail, so that there is nothing to keep. The message says what to do."""


def shrink(
    case: Case,
    run: Runner,
    *,
    failure: Failure | None = None,
    budget: Budget | None = None,
    attempts: int = 3,
    tell: Callable[[Shrinking], None] = lambda _: None,
) -> Shrunk:
    """The smallest case found that fails as ``case`` does; ``failure`` if not in the way that comes first.

    With a deterministic ``run`` and an unspent budget no single operation or fault of the result can be left out.
    ``attempts``: seeds that a small case is tried with. An interrupt ends it early, as a spent budget does. Raises
    :class:`CannotShrink` if ``case`` does not fail so.
    """
    shrinker = _Shrinker(case, run, budget or Budget(), attempts, tell)
    return shrinker.shrunk(failure)


def size_of(case: Case) -> str:
    """A case in figures."""
    plan, regions = case.plan, len(case.scenario.topology.regions)
    parts = ((len(plan.operations), "operation"), (len(plan.faults), "fault"), (regions, "region"))
    counts = [f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in parts]
    return ", ".join([*counts, f"{plan.seconds:.3g} s"])


class _Spent(Exception):
    """The budget is."""


class _Shrinker:
    def __init__(
        self, case: Case, run: Runner, budget: Budget, attempts: int, tell: Callable[[Shrinking], None]
    ) -> None:
        self._original = self._best = case
        self._run = run
        self._budget = budget
        self._attempts = attempts
        self._tell = tell
        self._doing = "reproducing"
        self._runs = 0
        self._watch = Stopwatch()
        self._known: dict[str, Case | None] = {}
        self._failure = Failure("", "")

    def shrunk(self, failure: Failure | None) -> Shrunk:
        visible_at = self._reproduce(failure)
        stopped = ""
        try:
            self._greedily("cutting it short", lambda case: cut_short(case, visible_at))
            while self._round():
                pass
        except _Spent as spent:
            stopped = str(spent)
        except KeyboardInterrupt:
            stopped = "interrupted"
        return Shrunk(
            original=self._original,
            smallest=self._best,
            failure=self._failure,
            runs=self._runs,
            seconds=self._watch.seconds(),
            stopped=stopped,
        )

    def _reproduce(self, failure: Failure | None) -> float:
        """Run the original; sets the failure to keep and returns when it became visible."""
        self._runs += 1
        self._say("reproducing")
        result = self._run(self._original.scenario, self._original.seed, self._original.plan)
        wanted = failure or Failure.first_of(result)
        if wanted is None or not wanted.among(result):
            what = f"not with {wanted}" if wanted else "not at all"
            raise CannotShrink(f"seed {self._original.seed} of {self._original.scenario.name} does not fail, {what}")
        self._failure = wanted
        return min(finding.at for finding in findings_of(result) if Failure.by(finding) == wanted)

    def _round(self) -> bool:
        """Every step once, those that save most of all later runs first; whether any of them helped."""
        before = self._best
        self._drop_groups("workloads", lambda operation: operation.workload)
        self._drop_groups("clients", lambda operation: operation.client)
        self._drop_faults()
        self._drop_operations()
        for doing, reduction in _STEPS:
            self._greedily(doing, reduction)
        return self._best is not before

    def _drop_groups(self, word: str, key: Callable[[PlannedOperation], str]) -> None:
        self._say(f"dropping {word}")
        case = self._best
        ddmin(groups(case, key), lambda parts: self._fails(joined(case, parts)))

    def _drop_faults(self) -> None:
        self._say("dropping faults")
        case = self._best
        ddmin(case.plan.faults, lambda faults: self._fails(case.with_faults(faults)))

    def _drop_operations(self) -> None:
        self._say("dropping operations")
        case = self._best
        ddmin(case.plan.operations, lambda operations: self._fails(case.with_operations(operations)))

    def _greedily(self, doing: str, reduction: Reduction) -> None:
        """Take the first reduction that still fails, and begin again from there."""
        self._say(doing)
        while any(self._fails(candidate) for candidate in reduction(self._best)):
            self._say(doing)

    def _fails(self, case: Case) -> bool:
        """Whether the case fails in the same way; if so, it is the best so far. Asked once for each case."""
        key = case.fingerprint()
        if key not in self._known:
            self._known[key] = next((each for each in self._tries(case) if self._fails_once(each)), None)
            self._say(self._doing)
        found = self._known[key]
        self._best = found or self._best
        return found is not None

    def _tries(self, case: Case) -> Iterator[Case]:
        """The case with its own seed and, if it is small, with a few others."""
        yield case
        if len(case.plan.operations) <= SMALL_OPERATIONS and case.plan.scheduling != "fifo":
            yield from (replace(case, seed=case.seed + number) for number in range(1, self._attempts))

    def _fails_once(self, case: Case) -> bool:
        if self._runs >= self._budget.runs_max:
            raise _Spent(f"the {self._budget.runs_max:,} runs it may take were spent")
        if self._watch.seconds() >= self._budget.seconds_max:
            raise _Spent(f"the {self._budget.seconds_max:,.0f} s it may take were spent")
        self._runs += 1
        try:
            return self._failure.among(self._run(case.scenario, case.seed, case.plan))
        except Exception:  # a case that cannot even be run, say, of a ring that went too small, is not this failure
            return False

    def _say(self, doing: str) -> None:
        self._doing = doing
        self._tell(Shrinking(doing=doing, runs=self._runs, smallest=self._best))
