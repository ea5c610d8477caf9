"""From a scenario and a seed to a plan: traffic, faults and knobs, each from a stream of its own.

Nothing here depends on anything but the two: the same scenario and seed make an equal plan in every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from atoll.simulation.plan import Fault, Plan, PlannedOperation
from atoll.simulation.scenario.scenario import NetworkSettings, Scenario
from atoll.simulation.scenario.shape import own_places
from atoll.simulation.scenario.swarm import swarm_faults, swarm_knobs
from atoll.simulation.workloads.registry import WORKLOADS

ANY = "any"
SCHEDULINGS = ("uniform", "fifo", "pct:2", "pct:3", "pct:5")
"""What ``scheduling = "any"`` draws from, the first half of the time: uniform finds most races soonest."""
CLIENT_KINDS = ("remote", "embedded")


def at_seed(scenario: Scenario, seed: int) -> Scenario:
    """The scenario with the ring that ``seed`` draws; itself if its ring is given. Doing it twice changes nothing."""
    if scenario.shape is None:
        return scenario
    topology = scenario.shape.draw(Random(f"{seed}:ring"))
    network: NetworkSettings = replace(scenario.network, locations=own_places(topology))
    return replace(scenario, topology=topology, network=network)


def make_plan(scenario: Scenario, seed: int) -> Plan:
    """What ``seed`` does to the scenario's ring, as :func:`at_seed` has it."""
    settled = at_seed(scenario, seed)
    choices = Random(f"{seed}:run")
    return Plan(
        seconds=settled.seconds,
        settle_seconds=settled.settle_seconds,
        operations=settled.operations or _traffic(settled, seed),
        faults=_faults(settled, seed),
        scheduling=_drawn_scheduling(choices) if settled.scheduling == ANY else settled.scheduling,
        client_kind=choices.choice(CLIENT_KINDS) if settled.client_kind == ANY else settled.client_kind,
        knobs={**swarm_knobs(settled, Random(f"{seed}:knobs")), **settled.knobs},
    )


def _traffic(scenario: Scenario, seed: int) -> Sequence[PlannedOperation]:
    """Operations of all traffic by time; of the same moment, in the order of the scenario."""
    operations: list[PlannedOperation] = []
    for index, traffic in enumerate(scenario.traffic):
        generate = WORKLOADS[traffic.workload].generate
        made = generate(Random(f"{seed}:traffic:{index}"), traffic, scenario.topology, scenario.seconds)
        operations += [_of_traffic(index, operation) for operation in made]
    return tuple(sorted(operations, key=lambda operation: operation.at_seconds))


def _of_traffic(index: int, operation: PlannedOperation) -> PlannedOperation:
    """``frankfurt/c1`` of the second traffic is ``frankfurt/c1.2``: who wanders in one may stay put in another."""
    hears = None if operation.hears is None else f"{operation.hears}.{index + 1}"
    return replace(operation, client=f"{operation.client}.{index + 1}", hears=hears)


def _faults(scenario: Scenario, seed: int) -> Sequence[Fault]:
    faults = list(scenario.faults)
    for index, story in enumerate(scenario.stories):
        if scenario.shape is not None and any(story.problems(scenario.topology)):
            continue  # a ring was drawn that this cannot happen to
        faults += story.expand(Random(f"{seed}:story:{index}"), scenario.topology)
    faults += swarm_faults(scenario, Random(f"{seed}:swarm"))
    in_time = [fault for fault in faults if fault.at_seconds < scenario.seconds]
    return tuple(sorted(in_time, key=lambda fault: fault.at_seconds))


def _drawn_scheduling(choices: Random) -> str:
    return SCHEDULINGS[0] if choices.random() < 0.5 else choices.choice(SCHEDULINGS)
