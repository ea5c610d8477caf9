"""How far is the simulator from the truth? One plan, run in both tiers, and the error of what was predicted.

The prediction is honest about what it cannot know: this machine's CPU, its disks and how long a process takes to
start are on the measured side alone. What both have in common are links, plan and code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from atoll.ids import RegionName
from atoll.simulation.history import Entry, History, Status
from atoll.simulation.plan import Action, Plan
from atoll.simulation.real.feasible import feasible
from atoll.simulation.real.running import run_for_real
from atoll.simulation.report.availability import OperationClass, asked_by_clients, class_of
from atoll.simulation.report.statistics import Spread, spread, tally
from atoll.simulation.report.words import NOTHING, duration
from atoll.simulation.result import RunResult
from atoll.simulation.running import run
from atoll.simulation.scenario.planning import at_seed, make_plan
from atoll.simulation.scenario.scenario import Scenario

_TIMES_MIN = 3.0
"""From here on a ratio reads better than a percentage."""
_TAKEN_AWAY = frozenset({Action.REMOVE, Action.RESET, Action.DELETE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing that was predicted and measured; ``None`` where a tier had nothing to say."""

    name: str
    predicted: float | None
    measured: float | None
    is_share: bool = False
    """A share of one, or else seconds."""

    @property
    def error(self) -> float | None:
        """Measured less predicted: positive if the world is worse at what ought to be small."""
        if self.predicted is None or self.measured is None:
            return None
        return self.measured - self.predicted


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Both runs and what they say of each other."""

    predicted: RunResult
    measured: RunResult
    figures: Sequence[Figure]
    cores: int
    load: float
    """What this machine was busy with before the run, as processes that wanted to run."""

    def figure(self, name: str) -> Figure:
        """The figure of that name."""
        return next(figure for figure in self.figures if figure.name == name)

    def table(self) -> Table:
        """The figures for people."""
        table = Table(
            title=f"{self.measured.scenario}, seed {self.measured.seed}: predicted and measured",
            caption=f"{self.cores} cores, {self.load:.1f} processes waiting before the run; {self.measured.tier}",
            box=None,
        )
        for heading in ("", "predicted", "measured", "error"):
            table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
        for figure in self.figures:
            table.add_row(
                figure.name, *(_told(each, figure) for each in (figure.predicted, figure.measured)), _error(figure)
            )
        return table

    def as_json(self) -> Mapping[str, Any]:
        """The figures for scripts, seconds and shares."""
        return {
            "cores": self.cores,
            "load": self.load,
            "figures": {
                figure.name: {"predicted": figure.predicted, "measured": figure.measured, "error": figure.error}
                for figure in self.figures
            },
        }


def calibrate(scenario: Scenario, seed: int, plan: Plan | None = None, *, directory: Path) -> Calibration:
    """Run the plan in the simulated world and for real. What the real tier cannot do is left out of both, so that
    they are comparable; the measured result's ``skipped`` names it."""
    ring = at_seed(scenario, seed)
    doable = feasible(plan or make_plan(ring, seed), ring.network)
    predicted = run(replace(ring, network=replace(ring.network, loss=0.0)), seed, doable.plan)
    load, _, _ = os.getloadavg()
    measured = run_for_real(ring, seed, doable.plan, directory=directory)
    measured = replace(measured, skipped=doable.skipped)
    return Calibration(
        predicted=predicted,
        measured=measured,
        figures=list(_figures(predicted, measured)),
        cores=os.cpu_count() or 1,
        load=load,
    )


def _figures(predicted: RunResult, measured: RunResult) -> Iterator[Figure]:
    both = (predicted, measured)
    for kind in OperationClass:
        yield from _quantiles(f"{kind} latency", [spread(latencies(result.history, kind)) for result in both])
    yield from _quantiles("seen elsewhere after", [spread(seen_after(result.history)) for result in both])
    *_, worst = _quantiles("staleness inside", [spread(_stale(result)) for result in both])
    yield worst  # the median is below what looking twice a second can tell
    yield Figure(name="convergence", predicted=predicted.converged_seconds, measured=measured.converged_seconds)
    for region in (None, *predicted.regions):
        name = "availability" if region is None else f"availability {region}"
        shares = [availability(result.history, region) for result in both]
        yield Figure(name=name, predicted=shares[0], measured=shares[1], is_share=True)


def _quantiles(name: str, spreads: Sequence[Spread | None]) -> Iterator[Figure]:
    for quantile in ("p50", "p99"):
        predicted, measured = (None if each is None else float(getattr(each, quantile)) for each in spreads)
        yield Figure(name=f"{name} {quantile}", predicted=predicted, measured=measured)


# -- what clients can tell ----------------------------------------------------------------------------------------


def latencies(history: History, kind: OperationClass) -> Iterator[float]:
    """Seconds from call to answer, of what went well; connecting included, where a client had to."""
    for entry in asked_by_clients(history):
        if entry.status is Status.OK and class_of(entry) is kind:
            yield entry.ended - entry.began


def seen_after(history: History) -> Iterator[float]:
    """For each acknowledged addition to a set, and each other region that was asked for it afterwards: seconds from
    the acknowledgement to the end of the first read there that showed it. As coarse as reads are rare; what only the
    last reads showed does not count. Sets from which anything was ever taken away are left out."""
    by_field: dict[tuple[str, str, str, str | None], list[Entry]] = {}
    for entry in asked_by_clients(history):
        planned = entry.planned
        by_field.setdefault((planned.collection, planned.zone or "", planned.key, planned.field), []).append(entry)
    taken_from = {
        field[:3] for field, entries in by_field.items() if any(e.planned.action in _TAKEN_AWAY for e in entries)
    }
    for field, entries in by_field.items():
        if field[:3] not in taken_from:
            yield from _seen_in_field(entries)


def _seen_in_field(entries: Sequence[Entry]) -> Iterator[float]:
    reads = sorted(
        (each for each in entries if each.planned.action is Action.READ and each.status is Status.OK),
        key=lambda read: read.ended,
    )
    shown = [(read, set(map(repr, read.value))) for read in reads if isinstance(read.value, (tuple, list))]
    for addition in entries:
        if addition.planned.action is not Action.ADD or addition.status is not Status.OK:
            continue
        wanted, seen_in = repr(addition.planned.argument), {addition.planned.region}
        for read, elements in shown:
            if read.began >= addition.ended and read.planned.region not in seen_in and wanted in elements:
                seen_in.add(read.planned.region)
                yield read.ended - addition.ended


def availability(history: History, region: RegionName | None) -> float | None:
    """The share that went well of what clients asked in a region, or everywhere."""
    asked = asked_by_clients(history)
    return tally(entry for entry in asked if region is None or entry.planned.region == region).share


def _stale(result: RunResult) -> Iterator[float]:
    for sample in result.samples:
        yield from sample.stale_seconds.values()


# -- telling ------------------------------------------------------------------------------------------------------


def _told(value: float | None, figure: Figure) -> str:
    if value is None:
        return NOTHING
    return f"{value:.1%}" if figure.is_share else duration(value)


def _error(figure: Figure) -> str:
    error = figure.error
    if error is None or figure.predicted is None:
        return NOTHING
    if figure.is_share:
        return f"{100 * error:+.1f} points"
    relative = ""
    if figure.predicted > 0:
        times = 1 + error / figure.predicted
        relative = f" ({times - 1:+.0%})" if times < _TIMES_MIN else f" ({times:.0f} times as much)"
    return f"{'-' if error < 0 else '+'}{duration(abs(error))}{relative}"
