"""Shrinking keeps the failure, loses the rest, and stops when told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.simulation.campaign.worlds import (
    arguments,
    fault,
    finding,
    numbers,
    operation,
    plan,
    result,
    runner,
    scenario,
)

from atoll.simulation.campaign.case import Case, Failure
from atoll.simulation.campaign.shrinking import Budget, CannotShrink, Shrinking, shrink
from atoll.simulation.plan import FaultKind, Plan
from atoll.simulation.result import RunResult
from atoll.simulation.scenario.scenario import Scenario

NO_LIMIT = Budget(runs_max=100_000, seconds_max=3_600)


def case(operations: int = 60, faults: int = 5) -> Case:
    return Case(scenario=scenario(), plan=plan(operations, faults), seed=7)


def test_large_case_is_reduced_to_its_culprits() -> None:
    run = runner(lambda plan, _: {4, 1_100} <= arguments(plan) and 3 in numbers(plan))
    shrunk = shrink(case(1_240, 9), run, budget=NO_LIMIT)
    assert arguments(shrunk.smallest.plan) == {4, 1_100}
    assert numbers(shrunk.smallest.plan) == {3}
    assert shrunk.stopped == ""
    assert shrunk.describe().startswith("1,240 operations, 9 faults, 3 regions, 60 s → 2 operations, 1 fault, ")
    assert shrunk.runs < 300


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_result_fails_and_nothing_can_be_left_out_of_it(data: st.DataObject) -> None:
    wanted = data.draw(st.sets(st.integers(0, 29), max_size=4))
    blamed = data.draw(st.sets(st.integers(0, 4), max_size=3))

    def failing(plan: Plan, _: int) -> bool:
        return wanted <= arguments(plan) and blamed <= numbers(plan)

    smallest = shrink(case(30, 5), runner(failing), budget=NO_LIMIT).smallest
    assert arguments(smallest.plan) == wanted
    assert numbers(smallest.plan) == blamed


def test_another_anomaly_does_not_count_as_the_same_failure() -> None:
    def run(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
        assert given is not None
        anomaly = "lost write" if 5 in arguments(given) else "resurrected element"
        return result(of, seed, given, [finding(anomaly)])

    smallest = shrink(case(20, 0), run, budget=NO_LIMIT).smallest
    assert arguments(smallest.plan) == {5}


def test_failure_asked_for_is_kept_rather_than_the_first() -> None:
    def run(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
        assert given is not None
        found = [finding("resurrected element", 50.0)] if 8 in arguments(given) else []
        return result(of, seed, given, [finding("lost write", 1.0), *found])

    shrunk = shrink(case(20, 0), run, failure=Failure("sets", "resurrected element"), budget=NO_LIMIT)
    assert arguments(shrunk.smallest.plan) == {8}


def test_small_case_that_hides_with_its_seed_is_tried_with_others() -> None:
    def failing(plan: Plan, seed: int) -> bool:
        small = len(plan.operations) <= 10
        return plan.scheduling != "fifo" and 5 in arguments(plan) and (seed == 8 if small else seed in (7, 8))

    shrunk = shrink(case(20, 0), runner(failing), budget=NO_LIMIT)
    assert arguments(shrunk.smallest.plan) == {5}
    assert shrunk.smallest.seed == 8


def test_case_that_fails_by_chance_of_scheduling_still_ends_failing() -> None:
    def failing(plan: Plan, seed: int) -> bool:
        return 5 in arguments(plan) and (len(plan.operations) * 31 + seed) % 3 != 0

    original = replace(case(21, 3), seed=7)
    assert failing(original.plan, 7)
    shrunk = shrink(original, runner(failing), budget=NO_LIMIT)
    assert failing(shrunk.smallest.plan, shrunk.smallest.seed)
    assert len(shrunk.smallest.plan.operations) <= 2


def test_chance_below_the_plan_is_taken_away() -> None:
    knobs = replace(plan(3, 0), knobs={"SOME_LIMIT": 1.0})
    smallest = shrink(replace(case(), plan=knobs), runner(lambda plan, _: True), budget=NO_LIMIT).smallest
    assert smallest.plan.scheduling == "fifo"
    assert smallest.plan.knobs == {}
    assert smallest.scenario.network.jitter == 0
    assert smallest.scenario.disk.flush_ms_min == smallest.scenario.disk.flush_ms_max


def test_regions_and_shards_without_a_part_in_it_are_removed() -> None:
    run = runner(lambda plan, _: arguments(plan) >= {0, 3})
    ring = shrink(case(20, 3), run, budget=NO_LIMIT).smallest.scenario.topology
    assert list(ring.regions) == ["frankfurt"]
    assert [shard.name for shard in ring.regions[next(iter(ring.regions))].shards] == ["s1"]
    assert list(ring.zones["global"].regions) == ["frankfurt"]


def test_home_that_is_removed_is_replaced() -> None:
    run = runner(lambda plan, _: 1 in arguments(plan))
    smallest = shrink(case(20, 0), run, budget=NO_LIMIT).smallest.scenario
    assert smallest.topology.zones["global"].home == "tokyo"
    assert list(smallest.network.locations) == ["tokyo"]


def test_two_faults_that_both_matter_become_one_that_covers_both() -> None:
    def failing(plan: Plan, _: int) -> bool:
        held = [(each.at_seconds, each.at_seconds + each.duration_seconds) for each in plan.faults]
        return all(any(low <= at < high for low, high in held) for at in (3.5, 9.5))

    faults = [replace(fault(number), parameters={}) for number in range(6)]
    start = replace(case(), plan=replace(plan(3, 0), faults=faults))
    assert len(shrink(start, runner(failing), budget=NO_LIMIT).smallest.plan.faults) == 1


def test_faults_are_shortened_and_lose_targets() -> None:
    long = replace(fault(0, FaultKind.STALL_SHARD), duration_seconds=32.0, targets=("tokyo/s1", "dallas/s1"))

    def failing(plan: Plan, _: int) -> bool:
        return any("dallas/s1" in each.targets for each in plan.faults)

    start = replace(case(), plan=replace(plan(1, 0), faults=[long]))
    (found,) = shrink(start, runner(failing), budget=NO_LIMIT).smallest.plan.faults
    assert tuple(found.targets) == ("dallas/s1",)
    assert found.duration_seconds <= 0.1


def test_run_is_shortened_to_what_is_in_it_but_may_converge_as_long_as_before() -> None:
    smallest = shrink(case(20, 3), runner(lambda plan, _: 10 in arguments(plan)), budget=NO_LIMIT).smallest
    assert smallest.plan.seconds <= 1.0
    assert smallest.plan.settle_seconds == 30.0
    assert all(each.at_seconds <= smallest.plan.seconds for each in smallest.plan.operations)


def test_nobody_hears_of_a_client_that_is_gone() -> None:
    operations = [operation(0, hears="c1"), operation(1), operation(2)]
    start = replace(case(), plan=replace(plan(0, 0), operations=operations))
    smallest = shrink(start, runner(lambda plan, _: 0 in arguments(plan)), budget=NO_LIMIT).smallest
    assert [each.hears for each in smallest.plan.operations] == [None]


def test_spent_runs_give_the_best_so_far() -> None:
    run = runner(lambda plan, _: {4, 1_100} <= arguments(plan))
    shrunk = shrink(case(1_240, 9), run, budget=Budget(runs_max=12, seconds_max=3_600))
    assert shrunk.runs == 12
    assert "12 runs" in shrunk.stopped
    assert {4, 1_100} <= arguments(shrunk.smallest.plan)
    assert len(shrunk.smallest.plan.faults) < 9


def test_spent_time_gives_the_best_so_far() -> None:
    shrunk = shrink(case(), runner(lambda *_: True), budget=Budget(seconds_max=0.0))
    assert "0 s" in shrunk.stopped
    assert shrunk.smallest == shrunk.original


def test_interrupt_gives_the_best_so_far() -> None:
    calls = 0

    def failing(plan: Plan, _: int) -> bool:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise KeyboardInterrupt
        return 4 in arguments(plan)

    shrunk = shrink(case(200, 5), runner(failing), budget=NO_LIMIT)
    assert shrunk.stopped == "interrupted"
    assert len(shrunk.smallest.plan.operations) < 200


def test_smaller_case_that_cannot_be_run_is_not_taken() -> None:
    def failing(plan: Plan, _: int) -> bool:
        if len(plan.operations) < 5:
            raise RuntimeError("too small a world")
        return True

    assert len(shrink(case(20, 0), runner(failing), budget=NO_LIMIT).smallest.plan.operations) == 5


def test_case_that_does_not_fail_is_refused() -> None:
    with pytest.raises(CannotShrink, match="seed 7 of cable-cut does not fail"):
        shrink(case(), runner(lambda *_: False))
    with pytest.raises(CannotShrink, match="not with fractured read"):
        shrink(case(), runner(lambda *_: True), failure=Failure("sets", "fractured read"))


def test_progress_tells_runs_and_the_size_of_the_smallest() -> None:
    told: list[Shrinking] = []
    shrink(case(), runner(lambda plan, _: 4 in arguments(plan)), budget=NO_LIMIT, tell=told.append)
    assert [step.runs for step in told] == sorted(step.runs for step in told)
    assert len(told[-1].smallest.plan.operations) == 1
    assert "dropping operations" in {step.doing for step in told}


def test_minimal_scenario_says_everything_outright() -> None:
    shrunk = shrink(case(20, 3), runner(lambda plan, _: 4 in arguments(plan)), budget=NO_LIMIT)
    minimal = shrunk.smallest.as_scenario("It lost a write.")
    assert (minimal.operations, minimal.faults) == (shrunk.smallest.plan.operations, shrunk.smallest.plan.faults)
    assert (minimal.traffic, minimal.swarm, minimal.seeds) == ((), None, (shrunk.smallest.seed,))
