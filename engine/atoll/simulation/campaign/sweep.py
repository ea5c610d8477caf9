"""A sweep: many seeds, judged one by one in worker processes, and some of them twice.

A run that is repeated is repeated by another process with another hash seed; if its trace differs, the simulator
leaks something of the real world, and no replay can be trusted: that is a violation like any other. A worker that
dies or hangs makes the verdict of its seed unknown, with the reason, and the sweep goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from atoll.simulation.campaign.runs import Runner, run_simulated
from atoll.simulation.campaign.seeds import Job, chosen_twice
from atoll.simulation.campaign.workers import Done, Workers
from atoll.simulation.limits import RUN_REAL_SECONDS_MAX
from atoll.simulation.report.summary import RunSummary, summarize
from atoll.simulation.result import TraceEvent
from atoll.simulation.stopwatch import Stopwatch
from atoll.simulation.verdict import Finding, Verdict

DETERMINISM = "determinism"
"""The checker that a sweep itself is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one job."""

    job: Job
    summary: RunSummary | None
    """``None`` if the run did not come to its end."""
    reason: str = ""
    """Why not."""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """How many faults of each kind were done."""

    @property
    def verdict(self) -> Verdict:
        """Unknown if the run did not come to its end."""
        return Verdict.UNKNOWN if self.summary is None else self.summary.verdict


class Difference(NamedTuple):
    """A job whose two runs were not the same."""

    job: Job
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a sweep has got. ``latest`` has just ended."""

    done: int
    planned: int
    violated: int
    unknown: int
    latest: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """A sweep's outcomes in the order in which the jobs were dealt, whatever the order in which they ended."""

    planned: int
    outcomes: Sequence[Outcome]
    repeated: int
    differences: Sequence[Difference]
    real_seconds: float
    stopped: str
    """Why it ended early: ``interrupted``, ``fail-fast``; empty if it did not."""

    @property
    def verdict(self) -> Verdict:
        """Violated if any run was, or was not deterministic. Otherwise a checker counts over the whole sweep: what
        it could not check in one run it may have checked in another; what was never checked leaves it unknown."""
        if self.differences or any(outcome.verdict is Verdict.VIOLATED for outcome in self.outcomes):
            return Verdict.VIOLATED
        if self.unfinished or self.never_checked or not self.outcomes:
            return Verdict.UNKNOWN
        return Verdict.VALID

    @property
    def unfinished(self) -> Sequence[Outcome]:
        """Runs that did not come to their end."""
        return [outcome for outcome in self.outcomes if outcome.summary is None]

    @property
    def violated(self) -> Sequence[Outcome]:
        """Runs with a violation."""
        return [outcome for outcome in self.outcomes if outcome.verdict is Verdict.VIOLATED]

    @property
    def summaries(self) -> Sequence[RunSummary]:
        """Of the runs that came to their end."""
        return [outcome.summary for outcome in self.outcomes if outcome.summary is not None]

    @property
    def never_checked(self) -> Mapping[str, str]:
        """Checkers that could not tell in any run, and why in the first."""
        unknown: dict[str, str] = {}
        for summary in self.summaries:
            for checker, note in summary.unknown.items():
                unknown.setdefault(checker, note)
        could = {name for s in self.summaries for name in s.checks if name not in s.unknown}
        return {name: note for name, note in unknown.items() if name not in could}


class _Task(NamedTuple):
    job: Job
    run: Runner


def sweep(
    jobs: Sequence[Job],
    *,
    processes: int,
    run: Runner = run_simulated,
    fail_fast: bool = False,
    seconds_max: float = RUN_REAL_SECONDS_MAX,
    tell: Callable[[Progress], None] = lambda _: None,
) -> SweepResult:
    """Run the jobs; ``tell`` is called once for each, in the order of completion.

    ``fail_fast`` stops at the first violation. An interrupt ends the sweep early, no process is left, and what has
    been found so far is returned. ``seconds_max``: real time of one run.
    """
    sweeping = _Sweep(jobs, run, processes, seconds_max, tell)
    stopped = ""
    try:
        stopped = sweeping.once(fail_fast) or sweeping.twice()
    except KeyboardInterrupt:
        stopped = "interrupted"
    return sweeping.result(stopped)


class _Sweep:
    def __init__(
        self,
        jobs: Sequence[Job],
        run: Runner,
        processes: int,
        seconds_max: float,
        tell: Callable[[Progress], None],
    ) -> None:
        self._jobs = jobs
        self._run = run
        self._processes = processes
        self._seconds_max = seconds_max
        self._tell = tell
        self._watch = Stopwatch()
        self._outcomes: dict[tuple[str, int], Outcome] = {}
        self._repeated = 0
        self._differences: list[Difference] = []

    def once(self, fail_fast: bool) -> str:
        """Run every job; returns why it stopped before the last of them."""
        with self._workers(len(self._jobs)) as workers:
            for done in workers.completed(_judge, self._tasks(self._jobs)):
                outcome = _outcome(done)
                self._outcomes[_key(outcome.job)] = outcome
                self._tell(self._progress(outcome))
                if fail_fast and outcome.verdict is Verdict.VIOLATED:
                    return "fail-fast"
        return ""

    def twice(self) -> str:
        """Run some jobs again, in processes of their own, and compare."""
        chosen = [job for job in chosen_twice(self._jobs) if self._outcomes[_key(job)].summary is not None]
        with self._workers(len(chosen)) as workers:
            for done in workers.completed(_judge, self._tasks(chosen)):
                again, first = _outcome(done).summary, self._outcomes[_key(done.argument.job)].summary
                if again is None or first is None:
                    continue
                self._repeated += 1
                if again.trace_hash != first.trace_hash:
                    finding = self._explained(done.argument, first.trace_hash, again.trace_hash)
                    self._differences.append(Difference(done.argument.job, finding))
        return ""

    def result(self, stopped: str) -> SweepResult:
        ordered = [self._outcomes[_key(job)] for job in self._jobs if _key(job) in self._outcomes]
        return SweepResult(
            planned=len(self._jobs),
            outcomes=ordered,
            repeated=self._repeated,
            differences=self._differences,
            real_seconds=self._watch.seconds(),
            stopped=stopped,
        )

    def _explained(self, task: _Task, first: str, again: str) -> Finding:
        """Record the run in two more processes and find where they part."""
        traces = []
        for _ in range(2):
            with self._workers(1) as workers:
                traces += [done.value for done in workers.completed(_trace, [task]) if done.value is not None]
        where = first_difference(*traces) if len(traces) == 2 else None
        at, told = where or (0.0, "two more recorded runs did not part")
        sentence = f"the trace was {first[:12]} in one process and {again[:12]} in another; {told}"
        return Finding(checker=DETERMINISM, anomaly="not deterministic", sentence=sentence, at=at)

    def _workers(self, tasks: int) -> Workers:
        return Workers(max(1, min(self._processes, tasks)), seconds_max=self._seconds_max)

    def _tasks(self, jobs: Iterable[Job]) -> Iterable[_Task]:
        return (_Task(job, self._run) for job in jobs)

    def _progress(self, latest: Outcome) -> Progress:
        verdicts = Counter(outcome.verdict for outcome in self._outcomes.values())
        return Progress(
            done=len(self._outcomes),
            planned=len(self._jobs),
            violated=verdicts[Verdict.VIOLATED],
            unknown=verdicts[Verdict.UNKNOWN],
            latest=latest,
        )


def first_difference(one: Sequence[TraceEvent], other: Sequence[TraceEvent]) -> tuple[float, str] | None:
    """When two traces part, and what each says there; ``None`` if they do not."""
    for number, (left, right) in enumerate(zip_longest(one, other), start=1):
        if left != right:
            at = min(event.at for event in (left, right) if event is not None)
            return at, f"they part at event {number:,}: {_said(left)} here, {_said(right)} there"
    return None


def _said(event: TraceEvent | None) -> str:
    if event is None:
        return "the end"
    peer = f" with {event.peer}" if event.peer else ""
    return f"{event.at:.6f} s {event.lane} {event.kind} {event.label}{peer}"


def _key(job: Job) -> tuple[str, int]:
    return job.scenario.name, job.seed


def _outcome(done: Done[_Task, tuple[RunSummary, Mapping[str, int]]]) -> Outcome:
    summary, kinds = done.value or (None, {})
    return Outcome(job=done.argument.job, summary=summary, reason=done.reason, kinds=kinds)


# -- in the worker's process --------------------------------------------------------------------------------------


def _judge(task: _Task) -> tuple[RunSummary, Mapping[str, int]]:
    result = task.run(task.job.scenario, task.job.seed)
    return summarize(result), Counter(fault.kind.value for fault in result.faults)


def _trace(task: _Task) -> Sequence[TraceEvent]:
    return tuple(task.run(task.job.scenario, task.job.seed, record=True).events)
