"""What a run measures of a configuration, as named numbers that can be spread over seeds and compared.

A measure is of the run alone; how it varies with chance is told by running the same with several seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import fmean
from typing import NamedTuple

from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action
from atoll.simulation.report.availability import OperationClass, asked_by_clients, availability
from atoll.simulation.report.staleness import sampled_staleness
from atoll.simulation.report.statistics import Spread
from atoll.simulation.report.summary import latencies
from atoll.simulation.result import RunResult


class Unit(Enum):
    """How a number is written."""

    MILLISECONDS = "ms"
    SHARE = "%"
    PER_THOUSAND = "per 1,000 writes"


class Topic(Enum):
    """What is measured: title, unit, and whether more of it is better."""

    WRITE_LATENCY = ("write latency", Unit.MILLISECONDS, False)
    READ_LATENCY = ("read latency", Unit.MILLISECONDS, False)
    STALENESS = ("staleness", Unit.MILLISECONDS, False)
    CONVERGENCE = ("time to converge", Unit.MILLISECONDS, False)
    WRITES_SERVED = ("writes served", Unit.SHARE, True)
    READS_SERVED = ("reads served", Unit.SHARE, True)
    CONFLICTS = ("conflicts", Unit.PER_THOUSAND, False)
    DISCARDED = ("discarded by lww", Unit.PER_THOUSAND, False)

    @property
    def title(self) -> str:
        """For people."""
        return self.value[0]

    @property
    def unit(self) -> Unit:
        """Of its numbers."""
        return self.value[1]

    @property
    def more_is_better(self) -> bool:
        """Otherwise less is."""
        return self.value[2]


class Measure(NamedTuple):
    """The name of one number: ``staleness · tokyo from frankfurt · p99 · while dallas is lost``."""

    topic: Topic
    what: str
    """A region, a pair ``reader from origin``, or a field."""
    quantile: str = ""
    situation: str = ""
    """Under which fault; empty: none but the scenario's own."""

    def __str__(self) -> str:
        return " · ".join(part for part in (self.topic.title, self.what, self.quantile, self.situation) if part)


Measures = Mapping[Measure, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A measure over several seeds."""

    values: Sequence[float]
    """One a seed, in the order of the seeds."""

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return fmean(self.values)

    @property
    def low(self) -> float:
        """Of the luckiest or unluckiest seed."""
        return min(self.values)

    @property
    def high(self) -> float:
        """Of the other one."""
        return max(self.values)


def measured(result: RunResult) -> Measures:
    """Everything that a whole run measures. What did not occur has no number, rather than a zero."""
    return {
        **dict(_latencies(result)),
        **dict(_staleness(result)),
        **served(result, 0.0, float("inf"), ""),
        **dict(_conflicts(result)),
        **_convergence(result),
    }


def served(result: RunResult, began: float, ended: float, situation: str) -> Measures:
    """The shares of operations that went well, of those that began in a span of time, by the region asked."""
    asked = [entry for entry in asked_by_clients(result.history) if began <= entry.began < ended]
    topics = {OperationClass.WRITE: Topic.WRITES_SERVED, OperationClass.READ: Topic.READS_SERVED}
    return {
        Measure(topics[kind], str(region), situation=situation): tally.share
        for region, tallies in availability(asked, result.regions).items()
        for kind, tally in tallies.items()
        if tally.share is not None
    }


def estimates(runs: Sequence[Measures]) -> Mapping[Measure, Estimate]:
    """Each measure over the runs that have it, in the order of first appearance."""
    values: dict[Measure, list[float]] = {}
    for run in runs:
        for measure, value in run.items():
            values.setdefault(measure, []).append(value)
    return {measure: Estimate(values=tuple(found)) for measure, found in values.items()}


def _latencies(result: RunResult) -> Iterator[tuple[Measure, float]]:
    topics = {OperationClass.WRITE: Topic.WRITE_LATENCY, OperationClass.READ: Topic.READ_LATENCY}
    for region, by_class in latencies(result).items():
        for kind, found in by_class.items():
            yield from _quantiles(topics[kind], str(region), found, 1.0)


def _staleness(result: RunResult) -> Iterator[tuple[Measure, float]]:
    for reader, row in sampled_staleness(result.samples).items():
        for origin, found in row.items():
            if reader != origin:
                yield from _quantiles(Topic.STALENESS, f"{reader} from {origin}", found, 1_000.0)


def _quantiles(topic: Topic, what: str, found: Spread, scale: float) -> Iterator[tuple[Measure, float]]:
    yield Measure(topic, what, "p50"), found.p50 * scale
    yield Measure(topic, what, "p99"), found.p99 * scale


def _conflicts(result: RunResult) -> Iterator[tuple[Measure, float]]:
    writes = _writes_by_field(asked_by_clients(result.history))
    for field, count in sorted(writes.items()):
        met = result.conflicts.get(field)
        yield Measure(Topic.CONFLICTS, field), 1_000 * (met.met if met else 0) / count
        yield Measure(Topic.DISCARDED, field), 1_000 * (met.discarded if met else 0) / count


def _writes_by_field(entries: Sequence[Entry]) -> Counter[str]:
    return Counter(
        f"{entry.planned.collection}.{entry.planned.field}"
        for entry in entries
        if entry.planned.action is not Action.READ and entry.planned.field and entry.status is Status.OK
    )


def _convergence(result: RunResult) -> Measures:
    if result.converged_seconds is None:
        return {}
    return {Measure(Topic.CONVERGENCE, "the whole ring"): result.converged_seconds * 1_000}
