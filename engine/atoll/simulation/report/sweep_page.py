"""The page of a sweep: what many seeds found, how often, and what they were worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from atoll.simulation.campaign import density
from atoll.simulation.campaign.seeds import Job
from atoll.simulation.campaign.sweep import Outcome, SweepResult
from atoll.simulation.report.drawing.histogram import histogram_of_seconds
from atoll.simulation.report.page_words import Tile
from atoll.simulation.report.statistics import spread
from atoll.simulation.report.summary import RunSummary
from atoll.simulation.report.templating import rendered
from atoll.simulation.report.words import NOTHING, count, duration, listed, plural
from atoll.simulation.verdict import Verdict

SQUARES_MAX = 2_000
"""Runs drawn as squares. Larger: a page of megabytes that shows one colour."""
RUNS_MAX = 60
"""Runs that did not end well and are listed. Larger: a page of which nobody sees the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """One class of failure with the first run that shows it."""

    name: str
    runs: int
    per_thousand: str
    scenario: str
    seed: int
    sentence: str
    replay: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRow:
    """What became of one scenario's runs."""

    name: str
    title: str
    runs: int
    valid: int
    violated: int
    unknown: int
    proved_little: int
    converged: str
    stale: str


def render_sweep_page(result: SweepResult, replay_of: Callable[[Job], str]) -> str:
    """The page; ``replay_of`` gives the command that repeats a job. The same arguments give the same text."""
    return rendered(
        "sweep.html.j2",
        sweep=result,
        sentence=_sentence(result),
        tiles=_tiles(result),
        warnings=_warnings(result),
        failures=[_failure(each, replay_of) for each in density.failures(result)],
        squares=result.outcomes[:SQUARES_MAX],
        scenarios=_scenarios(result),
        unfinished=result.unfinished[:RUNS_MAX],
        faults=density.faults(result),
        checkers=density.checkers(result),
        anomalies=density.anomalies(result),
        never_bit=density.never_bit(result),
        converged_picture=histogram_of_seconds("converged", "Time to converge, by run", _converged(result.summaries)),
        stale_picture=histogram_of_seconds(
            "stale", "Staleness p99 of the worst pair, by run", _stale(result.summaries)
        ),
    )


def _sentence(result: SweepResult) -> str:
    violated, unknown = len(result.violated), sum(o.verdict is Verdict.UNKNOWN for o in result.outcomes)
    runs = plural(len(result.outcomes), "run")
    if result.stopped:
        runs += f" of {result.planned:,} ({result.stopped})"
    match result.verdict:
        case Verdict.VALID:
            return f"No promise was broken in {runs}."
        case Verdict.VIOLATED:
            broken = (
                f"A promise was broken in {violated:,} of {runs}."
                if violated
                else f"No promise was broken in {runs}."
            )
            lost = f" {len(result.differences):,} could not be repeated, so that no replay can be trusted."
            return broken + (lost if result.differences else "")
        case Verdict.UNKNOWN:
            return f"Nothing was seen broken in {runs}, but not everything could be judged ({unknown:,} unknown)."


def _tiles(result: SweepResult) -> list[Tile]:
    checks = sum(each.checks for each in density.checkers(result))
    same = result.repeated - len(result.differences)
    pace = f"{len(result.outcomes) / result.real_seconds:.1f} a second" if result.real_seconds else "no time"
    little = sum(bool(summary.proved_little) for summary in result.summaries)
    converged, stale = spread(_converged(result.summaries)), spread(_stale(result.summaries))
    return [
        Tile(what="runs", value=count(len(result.outcomes)), more=f"in {duration(result.real_seconds)}, {pace}"),
        Tile(what="things checked", value=count(checks), more=f"{plural(little, 'run')} proved little"),
        Tile(what="repeated", value=count(result.repeated), more=f"{same:,} with the same trace"),
        Tile(
            what="converged after, p99",
            value=duration(converged.p99) if converged else NOTHING,
            more=f"median {duration(converged.p50)}, over runs" if converged else "no run converged",
        ),
        Tile(
            what="worst staleness, p99",
            value=duration(stale.p99) if stale else NOTHING,
            more=f"median {duration(stale.p50)}, over runs" if stale else "not sampled",
        ),
    ]


def _warnings(result: SweepResult) -> list[str]:
    """What makes a good verdict worth less."""
    said = [f"{name} never checked anything: {note}" for name, note in result.never_checked.items()]
    if idle := density.never_bit(result):
        said.append(f"Done and never bit: {listed(kind.replace('_', ' ') for kind in idle)}.")
    if result.summaries and not density.anomalies(result):
        said.append("Not one anomaly that the promises allow was seen: nothing was ever concurrent.")
    return said


def _failure(found: density.FailureDensity, replay_of: Callable[[Job], str]) -> FailureRow:
    return FailureRow(
        name=str(found.failure),
        runs=found.runs,
        per_thousand=f"{found.per_thousand:.3g}",
        scenario=found.first.job.scenario.name,
        seed=found.first.job.seed,
        sentence=found.sentence,
        replay=replay_of(found.first.job),
    )


def _scenarios(result: SweepResult) -> list[ScenarioRow]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in result.outcomes:
        groups.setdefault(outcome.job.scenario.name, []).append(outcome)
    return [_scenario(name, outcomes) for name, outcomes in sorted(groups.items())]


def _scenario(name: str, outcomes: Sequence[Outcome]) -> ScenarioRow:
    summaries = [outcome.summary for outcome in outcomes if outcome.summary is not None]
    verdicts = [outcome.verdict for outcome in outcomes]
    converged, stale = spread(_converged(summaries)), spread(_stale(summaries))
    return ScenarioRow(
        name=name,
        title=outcomes[0].job.scenario.title,
        runs=len(outcomes),
        valid=verdicts.count(Verdict.VALID),
        violated=verdicts.count(Verdict.VIOLATED),
        unknown=verdicts.count(Verdict.UNKNOWN),
        proved_little=sum(bool(summary.proved_little) for summary in summaries),
        converged=duration(converged.p99) if converged else NOTHING,
        stale=duration(stale.p99) if stale else NOTHING,
    )


def _converged(summaries: Sequence[RunSummary]) -> list[float]:
    return [summary.converged_seconds for summary in summaries if summary.converged_seconds is not None]


def _stale(summaries: Sequence[RunSummary]) -> list[float]:
    """Of each run the 99th percentile of its worst pair."""
    worst = [
        max((f.p99 for row in s.staleness_seconds.values() for f in row.values()), default=None) for s in summaries
    ]
    return [value for value in worst if value is not None]
