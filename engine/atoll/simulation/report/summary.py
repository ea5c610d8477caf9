"""The summary of a run: what a sweep carries between processes, and what two configurations are compared by.

Small (no history, no samples, no events), picklable, and JSON by :func:`plain_values`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import Any

from atoll.ids import RegionName
from atoll.simulation.history import Status
from atoll.simulation.report.availability import (
    ByRegion,
    OperationClass,
    asked_by_clients,
    availability,
    class_of,
    while_lost,
)
from atoll.simulation.report.coverage import legal_anomalies, proved_little
from atoll.simulation.report.incidents import losses
from atoll.simulation.report.staleness import Matrix, sampled_staleness
from atoll.simulation.report.statistics import Spread, Tally, spread
from atoll.simulation.result import ConflictCount, RunResult
from atoll.simulation.verdict import CheckerResult, Finding, Verdict

Latencies = Mapping[RegionName, Mapping[OperationClass, Spread]]
"""Milliseconds of what went well, by the region asked and by class; only what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One run without its bulk. Mappings are by region, by class of operation, by checker or by name."""

    scenario: str
    seed: int
    verdict: Verdict
    findings: Sequence[Finding]
    checks: Mapping[str, int]
    """How many things each checker compared."""
    unknown: Mapping[str, str]
    """Checkers that could not tell, and why."""
    proved_little: Sequence[str]
    """Why the run proved little; empty if it proved something."""
    regions: Sequence[RegionName]
    operations: int
    availability: ByRegion
    """Over the whole run."""
    availability_while_lost: Mapping[RegionName, Mapping[RegionName, Tally]]
    """By the region that was lost, then by the region asked."""
    latency_ms: Latencies
    staleness_seconds: Matrix
    """Reader, then origin; by truth."""
    converged_seconds: float | None
    backlog_batches_max: int
    """The most that any reader was behind any origin."""
    log_rows_max: int
    """The most that any shard's change log held."""
    conflicts: Mapping[str, ConflictCount]
    legal: Mapping[str, int]
    bites: Mapping[str, int]
    faults: int
    simulated_seconds: float
    real_seconds: float
    trace_hash: str


def summarize(result: RunResult) -> RunSummary:
    """The summary of a run. Pure; the same result gives the same summary."""
    entries = asked_by_clients(result.history)
    return RunSummary(
        scenario=result.scenario,
        seed=result.seed,
        verdict=result.verdict,
        findings=tuple(finding for checker in result.checkers for finding in checker.findings),
        checks=_checks(result.checkers),
        unknown={c.checker: c.note for c in result.checkers if c.verdict is Verdict.UNKNOWN},
        proved_little=tuple(proved_little(result)),
        regions=tuple(result.regions),
        operations=len(entries),
        availability=availability(entries, result.regions),
        availability_while_lost=while_lost(entries, losses(result.faults, result.plan.seconds), result.regions),
        latency_ms=latencies(result),
        staleness_seconds=sampled_staleness(result.samples),
        converged_seconds=result.converged_seconds,
        backlog_batches_max=max((n for s in result.samples for n in s.behind.values()), default=0),
        log_rows_max=max((n for s in result.samples for n in s.log_rows.values()), default=0),
        conflicts=dict(result.conflicts),
        legal=legal_anomalies(result),
        bites=dict(result.bites),
        faults=len(result.faults),
        simulated_seconds=result.simulated_seconds,
        real_seconds=result.real_seconds,
        trace_hash=result.trace_hash,
    )


def _checks(checkers: Sequence[CheckerResult]) -> Mapping[str, int]:
    """Of two checkers that share a name, what both compared."""
    checks: dict[str, int] = {}
    for checker in checkers:
        checks[checker.checker] = checks.get(checker.checker, 0) + checker.checks
    return checks


def latencies(result: RunResult) -> Latencies:
    """How long what went well took its clients, in milliseconds."""
    values: dict[RegionName, dict[OperationClass, list[float]]] = {}
    for entry in asked_by_clients(result.history):
        if entry.status is Status.OK:
            row = values.setdefault(entry.planned.region, {})
            row.setdefault(class_of(entry), []).append((entry.ended - entry.began) * 1_000)
    return {
        region: {
            kind: found
            for kind in OperationClass
            if (found := spread(values.get(region, {}).get(kind, ()))) is not None
        }
        for region in result.regions
    }


def plain_values(value: Any) -> Any:
    """``value`` as what JSON has: dataclasses as objects by field, enums as their values, pairs in keys as
    ``reader<origin``. Anything else as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain_values(getattr(value, each.name)) for each in fields(value)}
    match value:
        case Enum():
            return value.value
        case Mapping():
            return {_plain_key(key): plain_values(item) for key, item in value.items()}
        case str() | bytes():
            return value
        case Sequence():
            return [plain_values(item) for item in value]
        case _:
            return value


def _plain_key(key: Any) -> str:
    return "<".join(key) if isinstance(key, tuple) else str(key)
