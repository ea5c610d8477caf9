"""The figures of a run: everything the report shows that has to be computed from the result, computed once.

Pure: the same result gives the same figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from atoll.ids import RegionName
from atoll.simulation.report.availability import (
    OperationClass,
    Phases,
    asked_by_clients,
    phases,
    phases_of_all,
    unavailable,
)
from atoll.simulation.report.backlog import Backlog, Log, backlogs, logs
from atoll.simulation.report.coverage import Bite, bites
from atoll.simulation.report.incidents import Incident, incidents
from atoll.simulation.report.staleness import Matrix, sampled_staleness, seen_staleness
from atoll.simulation.report.statistics import Tally
from atoll.simulation.report.summary import RunSummary, summarize
from atoll.simulation.result import RunResult, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class StalenessPhases:
    """Staleness by truth in the samples before, during and after the faults; ``during`` from the beginning of the
    first incident to the end of the last."""

    before: Matrix
    during: Matrix
    after: Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """See the module."""

    summary: RunSummary
    incidents: Sequence[Incident]
    phases: Sequence[Phases]
    """Availability around each incident."""
    all_phases: Phases | None
    """Around all of them together; ``None`` without any."""
    errors: Mapping[RegionName, Mapping[str, int]]
    """The typed errors of the whole run."""
    staleness: StalenessPhases
    seen_staleness: Matrix
    """As clients could tell."""
    backlogs: Sequence[Backlog]
    logs: Sequence[Log]
    bites: Sequence[Bite]


def figures(result: RunResult) -> Figures:
    """The figures of ``result``."""
    entries = asked_by_clients(result.history)
    found = incidents(result.faults, result.plan.seconds)
    return Figures(
        summary=summarize(result),
        incidents=found,
        phases=phases(entries, found, result.regions),
        all_phases=phases_of_all(entries, found, result.regions),
        errors=unavailable(entries, result.regions),
        staleness=staleness_phases(result.samples, found),
        seen_staleness=seen_staleness(result.history),
        backlogs=backlogs(result.samples, found),
        logs=logs(result.samples, found),
        bites=bites(result.faults, result.bites),
    )


def staleness_phases(samples: Sequence[Sample], found: Sequence[Incident]) -> StalenessPhases:
    """Staleness around all incidents; without any, everything is before."""
    began = min((incident.began for incident in found), default=float("inf"))
    ended = max((incident.ended for incident in found), default=float("inf"))
    return StalenessPhases(
        before=sampled_staleness(sample for sample in samples if sample.at < began),
        during=sampled_staleness(sample for sample in samples if began <= sample.at < ended),
        after=sampled_staleness(sample for sample in samples if sample.at >= ended),
    )


def worst_share(row: Mapping[RegionName, Mapping[OperationClass, Tally]]) -> float | None:
    """The least share of any region and class; ``None`` if nobody asked."""
    shares = [tally.share for classes in row.values() for tally in classes.values() if tally.share is not None]
    return min(shares, default=None)
