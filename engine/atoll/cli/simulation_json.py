"""Sweeps, predictions and comparisons for scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from atoll.simulation.campaign import density
from atoll.simulation.campaign.comparison import Comparison
from atoll.simulation.campaign.measures import Measure
from atoll.simulation.campaign.prediction import Prediction
from atoll.simulation.campaign.seeds import Job
from atoll.simulation.campaign.shrinking import Shrunk
from atoll.simulation.campaign.sweep import Outcome, SweepResult
from atoll.simulation.report.summary import plain_values
from atoll.simulation.scenario.scenario import Scenario


def sweep_json(
    result: SweepResult, replay_of: Callable[[Job], str], page: Path | None, failure: Path | None
) -> dict[str, Any]:
    """A sweep: its verdict, what was found, and each run in a line; ``failure`` is the page of the first."""
    return {
        "verdict": result.verdict.value,
        "planned": result.planned,
        "stopped": result.stopped,
        "real_seconds": result.real_seconds,
        "repeated": result.repeated,
        "not_deterministic": [
            {"scenario": job.scenario.name, "seed": job.seed, **plain_values(finding)}
            for job, finding in result.differences
        ],
        "failures": [
            {
                "checker": each.failure.checker,
                "anomaly": each.failure.anomaly,
                "runs": each.runs,
                "per_thousand": each.per_thousand,
                "scenario": each.first.job.scenario.name,
                "seed": each.first.job.seed,
                "sentence": each.sentence,
                "replay": replay_of(each.first.job),
            }
            for each in density.failures(result)
        ],
        "faults": plain_values(density.faults(result)),
        "never_bit": list(density.never_bit(result)),
        "checkers": plain_values(density.checkers(result)),
        "never_checked": dict(result.never_checked),
        "legal": plain_values(density.anomalies(result)),
        "runs": [_run(outcome) for outcome in result.outcomes],
        "page": None if page is None else str(page),
        "failure_page": None if failure is None else str(failure),
    }


def _run(outcome: Outcome) -> dict[str, Any]:
    return {
        "scenario": outcome.job.scenario.name,
        "seed": outcome.job.seed,
        "verdict": outcome.verdict.value,
        "reason": outcome.reason,
        "real_seconds": outcome.summary.real_seconds if outcome.summary else None,
        "trace_hash": outcome.summary.trace_hash if outcome.summary else None,
    }


def prediction_json(prediction: Prediction) -> dict[str, Any]:
    """A prediction, one object for each measure."""
    return {
        "scenario": prediction.scenario,
        "seeds": list(prediction.seeds),
        "seconds": prediction.seconds,
        "measures": [
            {**_measure(measure), "mean": found.mean, "low": found.low, "high": found.high}
            for measure, found in prediction.estimates.items()
        ],
        "runs": prediction.runs,
        "failed": list(prediction.failed),
        "limits": list(prediction.limits),
    }


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """A comparison, one object for each row."""
    return {
        "a": comparison.a,
        "b": comparison.b,
        "seeds": list(comparison.seeds),
        "rows": [
            {
                **_measure(row.measure),
                "a": row.a,
                "b": row.b,
                "difference": row.difference,
                "spread": row.spread,
                "clear": row.clear,
                "better": row.better,
            }
            for row in comparison.rows
        ],
        "verdicts": plain_values(comparison.verdicts),
        "failed": list(comparison.failed),
        "limits": list(comparison.limits),
    }


def _measure(measure: Measure) -> dict[str, Any]:
    topic = measure.topic
    return {
        "measure": topic.title,
        "what": measure.what,
        "quantile": measure.quantile,
        "situation": measure.situation,
        "unit": topic.unit.value,
    }


def shrunk_json(shrunk: Shrunk, file: Path) -> dict[str, Any]:
    """How far a failure shrank, and where the rest is."""
    return {
        "checker": shrunk.failure.checker,
        "anomaly": shrunk.failure.anomaly,
        "file": str(file),
        "seed": shrunk.smallest.seed,
        "operations": {"before": len(shrunk.original.plan.operations), "after": len(shrunk.smallest.plan.operations)},
        "faults": {"before": len(shrunk.original.plan.faults), "after": len(shrunk.smallest.plan.faults)},
        "runs": shrunk.runs,
        "real_seconds": shrunk.seconds,
        "stopped": shrunk.stopped,
    }


def scenario_json(scenario: Scenario) -> dict[str, Any]:
    """What there is to run."""
    return {
        "name": scenario.name,
        "group": scenario.group.value,
        "title": scenario.title,
        "story": scenario.story,
        "seeds": list(scenario.seeds),
    }
