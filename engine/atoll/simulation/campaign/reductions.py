"""Smaller plans: each function takes a case and yields cases that have less of one thing, boldest first.

Pure; whether a smaller case still fails is for :mod:`atoll.simulation.campaign.shrinking` to find out. The time to
converge is never cut: a ring that is given too little of it fails for that reason alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TypeVar

from atoll.simulation.campaign.case import Case
from atoll.simulation.plan import Fault, Plan, PlannedOperation

T = TypeVar("T")

_MERGED_MAX = 16
"""Faults beyond which pairs are not tried: their number grows with the square."""
_FAULT_SECONDS_MIN = 0.05
_MARGIN_SECONDS = 0.1
_DISK_FLUSH_MS = 1.0


def plainer_worlds(case: Case) -> Iterator[Case]:
    """Without chance below the plan: first in first out, no extreme limits, links and disks of constant latency."""
    plan = case.plan
    if plan.scheduling != "fifo":
        yield replace(case, plan=replace(plan, scheduling="fifo"))
    if plan.knobs:
        yield replace(case, plan=replace(plan, knobs={}))
    network, disk = case.scenario.network, case.scenario.disk
    if network.jitter or network.loss or network.bandwidth_mbps is not None:
        constant = replace(network, jitter=0.0, loss=0.0, bandwidth_mbps=None)
        yield replace(case, scenario=replace(case.scenario, network=constant))
    if disk.flush_ms_min != disk.flush_ms_max:
        even = replace(disk, flush_ms_min=_DISK_FLUSH_MS, flush_ms_max=_DISK_FLUSH_MS)
        yield replace(case, scenario=replace(case.scenario, disk=even))


def cut_short(case: Case, at: float) -> Iterator[Case]:
    """Nothing that begins after the violation became visible."""
    operations = [operation for operation in case.plan.operations if operation.at_seconds <= at]
    faults = [fault for fault in case.plan.faults if fault.at_seconds <= at]
    if len(operations) < len(case.plan.operations) or len(faults) < len(case.plan.faults):
        yield case.with_operations(operations).with_faults(faults)


def groups(case: Case, key: Callable[[PlannedOperation], str]) -> Sequence[Sequence[PlannedOperation]]:
    """The operations in groups (by client, by workload), in order of first appearance."""
    found: dict[str, list[PlannedOperation]] = {}
    for operation in case.plan.operations:
        found.setdefault(key(operation), []).append(operation)
    return list(found.values())


def joined(case: Case, parts: Sequence[Sequence[PlannedOperation]]) -> Case:
    """The case with the operations of these groups alone, in the plan's order."""
    kept = {id(operation) for part in parts for operation in part}
    return case.with_operations([operation for operation in case.plan.operations if id(operation) in kept])


def without_hearsay(case: Case) -> Iterator[Case]:
    """Operations that hear of nobody: all of them, then one by one."""
    if any(operation.hears is not None for operation in case.plan.operations):
        yield case.with_operations([replace(operation, hears=None) for operation in case.plan.operations])
    for index, operation in enumerate(case.plan.operations):
        if operation.hears is not None:
            yield case.with_operations(_with(case.plan.operations, index, replace(operation, hears=None)))


def merged_faults(case: Case) -> Iterator[Case]:
    """Two faults of one kind as one that holds for both times and targets."""
    faults = case.plan.faults
    if len(faults) > _MERGED_MAX:
        return
    for left, right in combinations(range(len(faults)), 2):
        one, other = faults[left], faults[right]
        if one.kind is other.kind and one.parameters == other.parameters:
            rest = [fault for index, fault in enumerate(faults) if index != right]
            yield case.with_faults(_with(rest, left, _merged(one, other)))


def shorter_faults(case: Case) -> Iterator[Case]:
    """One fault with half its time: its first half, or its second."""
    for index, fault in enumerate(case.plan.faults):
        half = round(fault.duration_seconds / 2, 3)
        if half >= _FAULT_SECONDS_MIN:
            first = replace(fault, duration_seconds=half)
            yield case.with_faults(_with(case.plan.faults, index, first))
            second = replace(first, at_seconds=round(fault.at_seconds + half, 3))
            yield case.with_faults(_with(case.plan.faults, index, second))


def fewer_targets(case: Case) -> Iterator[Case]:
    """One fault with one target less."""
    for index, fault in enumerate(case.plan.faults):
        for target in fault.targets if len(fault.targets) > 1 else ():
            fewer = replace(fault, targets=tuple(each for each in fault.targets if each != target))
            yield case.with_faults(_with(case.plan.faults, index, fewer))


def shorter_runs(case: Case) -> Iterator[Case]:
    """The run without its idle end, without its idle beginning, and in half the time."""
    plan = case.plan
    end = round(_end(plan) + _MARGIN_SECONDS, 3)
    if end < plan.seconds:
        yield replace(case, plan=replace(plan, seconds=end))
    begins = [*(each.at_seconds for each in plan.operations), *(each.at_seconds for each in plan.faults)]
    idle = min(begins, default=0.0) - _MARGIN_SECONDS
    if idle > _MARGIN_SECONDS:
        yield replace(case, plan=_retimed(plan, lambda at: at - idle, 1.0))
    if plan.seconds > 1.0:
        yield replace(case, plan=_retimed(plan, lambda at: at / 2, 0.5))


def _end(plan: Plan) -> float:
    operations = [operation.at_seconds for operation in plan.operations]
    return max([*operations, *(fault.at_seconds + fault.duration_seconds for fault in plan.faults)], default=0.0)


def _retimed(plan: Plan, when: Callable[[float], float], scale: float) -> Plan:
    return replace(
        plan,
        seconds=round(when(plan.seconds), 3),
        operations=tuple(replace(each, at_seconds=round(when(each.at_seconds), 3)) for each in plan.operations),
        faults=tuple(
            replace(
                each,
                at_seconds=round(when(each.at_seconds), 3),
                duration_seconds=round(each.duration_seconds * scale, 3),
            )
            for each in plan.faults
        ),
    )


def _merged(one: Fault, other: Fault) -> Fault:
    begin = min(one.at_seconds, other.at_seconds)
    end = max(one.at_seconds + one.duration_seconds, other.at_seconds + other.duration_seconds)
    targets = tuple(dict.fromkeys((*one.targets, *other.targets)))
    return replace(one, at_seconds=begin, duration_seconds=round(end - begin, 3), targets=targets)


def _with(items: Sequence[T], index: int, item: T) -> list[T]:
    return [*items[:index], item, *items[index + 1 :]]
