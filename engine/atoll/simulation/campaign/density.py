"""What a sweep was worth: which failures it met how often, which faults never bit, which checkers never checked.

A thousand valid runs in which no message was ever dropped prove little; these figures say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from atoll.simulation.campaign.case import Failure
from atoll.simulation.campaign.sweep import Outcome, SweepResult
from atoll.simulation.report.summary import RunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureDensity:
    """One class of failure over a sweep."""

    failure: Failure
    runs: int
    per_thousand: float
    first: Outcome
    """In the order of the jobs."""
    sentence: str
    """As the first run tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultDensity:
    """One kind of fault over a sweep."""

    kind: str
    done: int
    runs_done: int
    """Runs in which it was done."""
    runs_bitten: int
    """Runs in which it did anything to anybody."""
    bites: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckerDensity:
    """One checker over a sweep."""

    checker: str
    checks: int
    runs: int
    """Runs in which it compared anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """An anomaly that is allowed, and without which nothing was concurrent."""

    name: str
    count: int
    runs: int


def failures(result: SweepResult) -> Sequence[FailureDensity]:
    """The classes of failure, the most frequent first."""
    by_class: dict[Failure, list[tuple[Outcome, str]]] = {}
    for outcome in result.violated:
        assert outcome.summary is not None, "a run that was judged has a summary"
        sentences = {Failure.by(finding): finding.sentence for finding in reversed(outcome.summary.findings)}
        for failure, sentence in sentences.items():
            by_class.setdefault(failure, []).append((outcome, sentence))
    found = [
        FailureDensity(
            failure=failure,
            runs=len(runs),
            per_thousand=1_000 * len(runs) / len(result.outcomes),
            first=runs[0][0],
            sentence=runs[0][1],
        )
        for failure, runs in by_class.items()
    ]
    return sorted(found, key=lambda each: (-each.runs, each.failure))


def faults(result: SweepResult) -> Sequence[FaultDensity]:
    """Every kind of fault that was done or bit, by name."""
    bites = [_bites_by_kind(summary) for summary in result.summaries]
    kinds = [outcome.kinds for outcome in result.outcomes if outcome.summary is not None]
    names = sorted({name for counts in (*bites, *kinds) for name in counts})
    return [
        FaultDensity(
            kind=name,
            done=sum(counts.get(name, 0) for counts in kinds),
            runs_done=sum(counts.get(name, 0) > 0 for counts in kinds),
            runs_bitten=sum(counts.get(name, 0) > 0 for counts in bites),
            bites=sum(counts.get(name, 0) for counts in bites),
        )
        for name in names
    ]


def never_bit(result: SweepResult) -> Sequence[str]:
    """Kinds of faults that were done and did nothing to anybody, in any run."""
    return [each.kind for each in faults(result) if each.done and not each.bites]


def checkers(result: SweepResult) -> Sequence[CheckerDensity]:
    """Every checker, in the order of the first run that had it."""
    names = dict.fromkeys(name for summary in result.summaries for name in summary.checks)
    return [
        CheckerDensity(
            checker=name,
            checks=sum(summary.checks.get(name, 0) for summary in result.summaries),
            runs=sum(summary.checks.get(name, 0) > 0 for summary in result.summaries),
        )
        for name in names
    ]


def anomalies(result: SweepResult) -> Sequence[Anomaly]:
    """Legal anomalies, by name."""
    total: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    for summary in result.summaries:
        total.update(summary.legal)
        runs.update(summary.legal.keys())
    return [Anomaly(name=name, count=count, runs=runs[name]) for name, count in sorted(total.items())]


def _bites_by_kind(summary: RunSummary) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for name, count in summary.bites.items():
        counts[name.partition(":")[0].strip()] += count
    return counts
