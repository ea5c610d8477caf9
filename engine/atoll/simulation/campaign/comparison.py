"""Comparison: two scenarios on the same seeds, row by row, and which differences are more than chance.

Both sides get the same seeds, so that they meet the same traffic and the same faults as far as their rings allow; the
difference is then taken seed by seed, which cancels most of what the seeds have in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import NamedTuple

from atoll.simulation.campaign.measures import Measure, Measures, Topic, Unit, measured
from atoll.simulation.campaign.prediction import limits_of
from atoll.simulation.campaign.runs import Runner, run_simulated
from atoll.simulation.campaign.workers import Done, Workers
from atoll.simulation.limits import RUN_REAL_SECONDS_MAX
from atoll.simulation.scenario.scenario import Scenario
from atoll.simulation.verdict import Verdict

_STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131)
"""Student's t, two-sided 95%, from one degree of freedom up."""
_STUDENT_MANY = 2.131
"""Beyond: a little too careful."""
_LEAST = {Unit.MILLISECONDS: 0.01, Unit.SHARE: 0.0001, Unit.PER_THOUSAND: 0.01}
"""Differences below are rounding, however regular."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measure on both sides. A side that did not have it on all seeds has ``None``."""

    measure: Measure
    a: float | None
    b: float | None
    """Means over the seeds."""
    difference: float | None
    """Mean of B minus A, seed by seed, over the seeds on which both have it."""
    spread: float | None
    """How far the difference may be off by chance, at 95%; ``None`` with fewer than two seeds."""

    @property
    def clear(self) -> bool:
        """Whether the difference exceeds the spread over the seeds."""
        if self.difference is None or self.spread is None:
            return False
        return abs(self.difference) > max(self.spread, _LEAST[self.measure.topic.unit])

    @property
    def better(self) -> str:
        """``a`` or ``b``, if the difference is clear."""
        if not self.clear or self.difference is None:
            return ""
        return "b" if (self.difference > 0) == self.measure.topic.more_is_better else "a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two scenarios side by side."""

    a: str
    b: str
    seeds: Sequence[int]
    rows: Sequence[Row]
    verdicts: Mapping[str, Mapping[Verdict, int]]
    """By side, how many runs ended how."""
    failed: Sequence[str]
    """Runs that did not come to their end."""
    limits: Sequence[str]

    @property
    def can_tell(self) -> bool:
        """Whether there is a measure of chance for any row; with one seed there is none, and nothing is clear."""
        return any(row.spread is not None for row in self.rows)


class _Task(NamedTuple):
    side: str
    scenario: Scenario
    seed: int
    run: Runner


def compare(
    a: Scenario,
    b: Scenario,
    seeds: Sequence[int],
    *,
    processes: int,
    run: Runner = run_simulated,
    seconds_max: float = RUN_REAL_SECONDS_MAX,
    tell: Callable[[int, int], None] = lambda _done, _planned: None,
) -> Comparison:
    """Run both on the same seeds, faults included, and set them side by side."""
    assert seeds, "a comparison needs a seed"
    tasks = [_Task(side, each, seed, run) for seed in seeds for side, each in (("a", a), ("b", b))]
    done: dict[tuple[str, int], Done[_Task, _Judged]] = {}
    with Workers(min(processes, len(tasks)), seconds_max=seconds_max) as workers:
        for each in workers.completed(_judge, tasks):
            done[each.argument.side, each.argument.seed] = each
            tell(len(done), len(tasks))
    sides = {side: [done[side, seed].value for seed in seeds] for side in ("a", "b")}
    return Comparison(
        a=a.name,
        b=b.name,
        seeds=tuple(seeds),
        rows=rows(_measures(sides["a"]), _measures(sides["b"])),
        verdicts={side: _verdicts(judged) for side, judged in sides.items()},
        failed=[
            f"{each.argument.scenario.name}, seed {seed}: {each.reason}"
            for (_, seed), each in sorted(done.items())
            if each.value is None
        ],
        limits=limits_of(a, len(seeds)),
    )


def rows(a: Sequence[Measures], b: Sequence[Measures]) -> Sequence[Row]:
    """A row for every measure of either side, seed by seed; both in the order of the seeds, ``{}`` for a lost run."""
    measures = dict.fromkeys(measure for run in (*a, *b) for measure in run)
    ordered = sorted(measures, key=lambda each: list(Topic).index(each.topic))
    return [_row(measure, a, b) for measure in ordered]


def _row(measure: Measure, a: Sequence[Measures], b: Sequence[Measures]) -> Row:
    pairs = [(x[measure], y[measure]) for x, y in zip(a, b, strict=True) if measure in x and measure in y]
    differences = [there - here for here, there in pairs]
    return Row(
        measure=measure,
        a=_mean([run[measure] for run in a if measure in run]),
        b=_mean([run[measure] for run in b if measure in run]),
        difference=_mean(differences),
        spread=_chance(differences),
    )


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _chance(differences: Sequence[float]) -> float | None:
    """Half the width of the 95% interval of the mean of paired differences (Student)."""
    freedom = len(differences) - 1
    if freedom < 1:
        return None
    student = _STUDENT[freedom - 1] if freedom <= len(_STUDENT) else _STUDENT_MANY
    return student * stdev(differences) / math.sqrt(len(differences))


def _measures(judged: Sequence[_Judged | None]) -> list[Measures]:
    return [each.measures if each is not None else {} for each in judged]


def _verdicts(judged: Sequence[_Judged | None]) -> Mapping[Verdict, int]:
    found = [each.verdict if each is not None else Verdict.UNKNOWN for each in judged]
    return {verdict: found.count(verdict) for verdict in Verdict}


# -- in the worker's process --------------------------------------------------------------------------------------


class _Judged(NamedTuple):
    measures: Measures
    verdict: Verdict


def _judge(task: _Task) -> _Judged:
    result = task.run(task.scenario, task.seed)
    return _Judged(measured(result), result.verdict)
