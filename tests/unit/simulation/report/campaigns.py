"""Sweeps, comparisons and predictions to draw, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.unit.simulation.campaign.worlds import scenario
from tests.unit.simulation.report.results import Story, result

from atoll.simulation.campaign.comparison import Comparison, rows
from atoll.simulation.campaign.measures import Estimate, Measure, Topic
from atoll.simulation.campaign.prediction import Prediction
from atoll.simulation.campaign.seeds import Job
from atoll.simulation.campaign.sweep import Difference, Outcome, SweepResult
from atoll.simulation.report.summary import summarize
from atoll.simulation.verdict import Finding, Verdict

LONG = "the-shop-with-a-very-long-name-and-lww"
LIMITS = ("Predicted, not measured: the engine's own code ran.", "Computing takes no time here.")
SERVED = {"": 1.0, "tokyo is lost": 0.5, "frankfurt is cut off": 0.0}


def outcome(seed: int, violated: bool = False, lost: str = "") -> Outcome:
    job = Job(scenario("cable-cut" if seed % 2 else LONG), seed)
    if lost:
        return Outcome(job=job, summary=None, reason=lost)
    run = Story(seed=seed, seconds=70.0, violated=violated).result()
    return Outcome(job=job, summary=summarize(run), kinds={"cut": 1, "clock": 1})


def sweep_of(outcomes: Sequence[Outcome], differences: Sequence[Difference] = (), stopped: str = "") -> SweepResult:
    return SweepResult(
        planned=len(outcomes) + (5 if stopped else 0),
        outcomes=outcomes,
        repeated=2,
        differences=differences,
        real_seconds=12.5,
        stopped=stopped,
    )


def bad_sweep() -> SweepResult:
    finding = Finding(checker="determinism", anomaly="not deterministic", sentence="They part at event 7.", at=1.0)
    outcomes = [outcome(1), outcome(2, violated=True), outcome(3, violated=True), outcome(4, lost="it took too long")]
    return sweep_of(outcomes, [Difference(outcomes[0].job, finding)], stopped="interrupted")


def calm_sweep() -> SweepResult:
    return sweep_of([Outcome(job=Job(scenario(), 1), summary=summarize(result()))])


def measures(writes: float, served: float, lost: float) -> Mapping[Measure, float]:
    found = {
        Measure(Topic.STALENESS, "tokyo from frankfurt", "p50"): 100.0,
        Measure(Topic.STALENESS, "tokyo from frankfurt", "p99"): 31_000.0,
        Measure(Topic.CONVERGENCE, "the whole ring"): 250.0,
        Measure(Topic.CONFLICTS, f"{LONG}.status"): 40.0,
        Measure(Topic.DISCARDED, f"{LONG}.status"): lost,
        Measure(Topic.READS_SERVED, "tokyo"): 1.0,
        Measure(Topic.READ_LATENCY, "tokyo", "p50"): 0.0,
    }
    for quantile, factor in (("p50", 1.0), ("p99", 3.0)):
        found[Measure(Topic.WRITE_LATENCY, "frankfurt", quantile)] = writes * factor
    for situation, share in SERVED.items():
        found[Measure(Topic.WRITES_SERVED, "tokyo", situation=situation)] = share * served
    return found


def comparison(failed: Sequence[str] = ()) -> Comparison:
    """B writes more slowly, serves more and discards nothing."""
    a = [measures(3.0 + seed, 0.9, 12.0 + seed) for seed in range(4)]
    b = [measures(8.0 + seed, 1.0, 0.0) for seed in range(4)]
    return Comparison(
        a="two-regions",
        b=LONG,
        seeds=(1, 2, 3, 4),
        rows=rows(a, b),
        verdicts={"a": {Verdict.VALID: 4}, "b": {Verdict.VALID: 3, Verdict.VIOLATED: len(failed)}},
        failed=failed,
        limits=LIMITS,
    )


def prediction() -> Prediction:
    runs = [measures(3.0 + seed, 1.0, 12.0) for seed in range(3)]
    estimates = {each: Estimate(values=tuple(run[each] for run in runs)) for each in runs[0]}
    return Prediction(
        scenario="cable-cut",
        seeds=(1, 2, 3),
        seconds=60.0,
        estimates=estimates,
        runs=30,
        failed=("seed 2, tokyo is lost: it took too long",),
        limits=LIMITS,
    )
