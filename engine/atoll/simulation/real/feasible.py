"""What of a plan real processes can be put through, and what has to be left out, with the reason.

Nothing is left out silently: every sentence ends up in :attr:`~atoll.simulation.result.RunResult.skipped`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from atoll.simulation.plan import FaultKind, Plan
from atoll.simulation.report.words import plural
from atoll.simulation.scenario.scenario import NetworkSettings

BEYOND: Mapping[FaultKind, str] = {
    FaultKind.CLOCK: "a node takes the clock of this machine, which is everybody's",
    FaultKind.SLOW_SHARD: "nothing here slows down one server's disk alone",
    FaultKind.FULL_SHARD: "a disk of its own would be needed to fill it",
    FaultKind.AMBIGUOUS_SHARD: "nothing here stands between a node and its database",
    FaultKind.FAILOVER_SHARD: "the servers have no replicas",
}
"""Faults that no rung of this tier has hands for."""

OF_CONNECTIONS = frozenset({"latency_factor", "jitter_factor", "bandwidth_kbps"})
"""How a proxy of connections can make a link worse."""


class Feasible(NamedTuple):
    """The plan that can be carried out, and a sentence for everything that is missing from it."""

    plan: Plan
    skipped: Sequence[str]


def feasible(plan: Plan, network: NetworkSettings) -> Feasible:
    """Take out what cannot be done. Operations stay as they are."""
    faults, missing = [], Counter[str]()
    for fault in plan.faults:
        if fault.kind in BEYOND:
            missing[f"{_words(fault.kind)}: {BEYOND[fault.kind]}"] += 1
        elif fault.kind is FaultKind.DEGRADE:
            possible = {name: value for name, value in fault.parameters.items() if name in OF_CONNECTIONS}
            for name in fault.parameters.keys() - possible.keys():
                missing[
                    f"degrade by {_words(name)}: a proxy carries connections, it has no packets to do that to"
                ] += 1
            if possible:
                faults.append(replace(fault, parameters=possible))
        else:
            faults.append(fault)
    skipped = [f"{plural(count, 'fault')} of {what}" for what, count in sorted(missing.items())]
    skipped += _of_the_run(plan, network)
    kept = replace(plan, faults=faults, knobs={}, client_kind="remote", scheduling="uniform")
    return Feasible(kept, skipped)


def _of_the_run(plan: Plan, network: NetworkSettings) -> list[str]:
    skipped = []
    if network.loss:
        skipped.append(f"loss of {network.loss:.2%} of all packets: a proxy carries connections, it has no packets")
    if plan.knobs:
        skipped.append(f"limits at their extremes ({', '.join(sorted(plan.knobs))}): node processes have their own")
    if plan.client_kind != "remote":
        skipped.append(f"{plan.client_kind} clients: all clients are remote ones")
    if plan.scheduling != "uniform":
        skipped.append(f"scheduling {plan.scheduling}: the operating system schedules")
    return skipped


def _words(name: str) -> str:
    return name.replace("_", " ")
