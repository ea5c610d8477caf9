"""Prediction: what a ring's people would see, by running the production code on their distances and their traffic.

Several seeds with the same operations each: once with a calm sea, once for everything that may befall it. What
differs between the runs of one seed is the situation alone (common random numbers). What such figures cannot tell is
part of them: :func:`limits_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from atoll.errors import InvalidConfiguration
from atoll.simulation.campaign.measures import Estimate, Measure, Measures, estimates, measured, served
from atoll.simulation.campaign.runs import Runner, run_simulated
from atoll.simulation.campaign.situations import Situation, calm, middle_third, situations
from atoll.simulation.campaign.workers import Done, Workers
from atoll.simulation.limits import RUN_REAL_SECONDS_MAX
from atoll.simulation.report.words import plural
from atoll.simulation.scenario.planning import at_seed, make_plan
from atoll.simulation.scenario.scenario import Scenario
from atoll.simulation.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Each measure over the seeds, and what it is worth."""

    scenario: str
    seeds: Sequence[int]
    seconds: float
    """Simulated, of each run's traffic."""
    estimates: Mapping[Measure, Estimate]
    runs: int
    failed: Sequence[str]
    """Runs that did not come to their end, or in which a promise was broken: figures without them."""
    limits: Sequence[str]


class _Task(NamedTuple):
    scenario: Scenario
    """Calm."""
    seed: int
    situation: Situation
    run: Runner


def predict(
    scenario: Scenario,
    seeds: Sequence[int],
    *,
    processes: int,
    run: Runner = run_simulated,
    seconds_max: float = RUN_REAL_SECONDS_MAX,
    tell: Callable[[int, int], None] = lambda _done, _planned: None,
) -> Prediction:
    """Predict for the scenario's ring, distances and traffic; its own faults are left out.

    Takes a run for each seed and situation: with three regions ten. ``tell`` is given how many are done, of how many.
    Raises :class:`InvalidConfiguration` for a ring that each seed draws anew, or without traffic.
    """
    _check(scenario)
    tasks = _tasks(calm(scenario), seeds, run)
    done: dict[tuple[int, str], Done[_Task, _Measured]] = {}
    with Workers(min(processes, len(tasks)), seconds_max=seconds_max) as workers:
        for each in workers.completed(_measure, tasks):
            done[each.argument.seed, each.argument.situation.name] = each
            tell(len(done), len(tasks))
    ordered = [done[task.seed, task.situation.name] for task in tasks]
    return Prediction(
        scenario=scenario.name,
        seeds=tuple(seeds),
        seconds=scenario.seconds,
        estimates=estimates([each.value.measures for each in ordered if each.value and not each.value.broken]),
        runs=len(tasks),
        failed=[text for each in ordered if (text := _failure(each))],
        limits=limits_of(scenario, len(seeds)),
    )


def limits_of(scenario: Scenario, seeds: int) -> Sequence[str]:
    """What the figures rest on, and what they cannot tell; to be shown with them, always."""
    network, disk = scenario.network, scenario.disk
    flush = f"{disk.flush_ms_min:g} to {disk.flush_ms_max:g} ms"
    return (
        "Predicted, not measured: the engine's own code ran, on simulated links, disks and clocks.",
        f"Distances are the round trips of {network.table.name} with {network.jitter:.0%} of jitter; a client is "
        f"{network.client_latency_ms:g} ms from its node.",
        f"A flush takes {flush} and a statement {disk.statement_ms:g} ms, whatever the load: your disks differ.",
        "Computing takes no time here: throughput, saturation and queues for a CPU or a disk cannot be predicted.",
        f"{plural(seeds, 'seed')} of {scenario.seconds:g} s each: what is rarer than that does not show.",
    )


def _check(scenario: Scenario) -> None:
    if scenario.shape is not None:
        raise InvalidConfiguration(
            f"{scenario.name} draws another ring for each seed, for which nothing can be predicted: "
            f"name its regions, or give your own ring with --config"
        )
    if not scenario.traffic and not scenario.operations:
        raise InvalidConfiguration(f"{scenario.name} has no traffic to predict for: add a [[traffic]] table")


def _tasks(scenario: Scenario, seeds: Sequence[int], run: Runner) -> list[_Task]:
    regions = list(scenario.topology.regions)
    befalls = [Situation(name=""), *situations(regions, scenario.seconds)]
    return [_Task(scenario, seed, situation, run) for seed in seeds for situation in befalls]


def _failure(done: Done[_Task, _Measured]) -> str:
    what = f"seed {done.argument.seed}" + (
        f", {done.argument.situation.name}" if done.argument.situation.name else ""
    )
    if done.value is None:
        return f"{what}: {done.reason}"
    return f"{what}: {done.value.broken}" if done.value.broken else ""


# -- in the worker's process --------------------------------------------------------------------------------------


class _Measured(NamedTuple):
    measures: Measures
    broken: str


def _measure(task: _Task) -> _Measured:
    """A calm run measures everything; under a situation, only what was served while it held."""
    settled = at_seed(task.scenario, task.seed)
    plan = replace(make_plan(settled, task.seed), faults=tuple(task.situation.faults))
    result = task.run(settled, task.seed, plan)
    began, ended = middle_third(plan.seconds)
    name = task.situation.name
    measures = served(result, began, ended, name) if name else measured(result)
    broken = [c.checker for c in result.checkers if c.verdict is Verdict.VIOLATED]
    return _Measured(measures, f"violated: {', '.join(broken)}" if broken else "")
