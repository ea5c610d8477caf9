"""Swarms: mixtures differ wildly between seeds, some seeds are calm, and knobs are turned to their ends."""

from __future__ import annotations

import pytest

from atoll import limits
from atoll.node import minting, writer
from atoll.simulation.plan import FaultKind
from atoll.simulation.scenario.knobs import KNOBS, turned
from atoll.simulation.scenario.planning import make_plan
from atoll.simulation.scenario.reading import read_scenario

SWARM = read_scenario("operation = []\n[swarm]", "swarm")
PLANS = [make_plan(SWARM, seed) for seed in range(300)]


def test_one_seed_in_ten_is_calm() -> None:
    calm = sum(not plan.faults for plan in PLANS)
    assert 15 <= calm <= 75  # a tenth, and those that drew a low rate


def test_every_kind_of_fault_and_every_shape_of_partition_occurs() -> None:
    faults = [fault for plan in PLANS for fault in plan.faults]
    assert {fault.kind for fault in faults} == set(FaultKind)
    shapes = {fault.story for fault in faults if fault.kind is FaultKind.CUT}
    assert shapes == {"halves", "isolate", "bridge", "majorities_ring", "one_way", "link", "swizzle"}


def test_mixtures_leave_kinds_out_and_take_few_or_many() -> None:
    counts = {len({fault.kind for fault in plan.faults}) for plan in PLANS}
    assert {1, 2, 3} <= counts
    assert max(counts) >= 4


def test_faults_last_from_the_shortest_to_the_longest() -> None:
    lengths = [fault.duration_seconds for plan in PLANS for fault in plan.faults if fault.story != "swizzle"]
    assert min(lengths) >= 0.2
    assert max(lengths) <= 8.0
    assert sum(length < 1.0 for length in lengths) > len(lengths) / 4


def test_only_named_kinds_occur() -> None:
    scenario = read_scenario('operation = []\n[swarm]\nkinds = ["clock", "pause_node"]', "swarm")
    kinds = {fault.kind for seed in range(40) for fault in make_plan(scenario, seed).faults}
    assert kinds == {FaultKind.CLOCK, FaultKind.PAUSE_NODE}


@pytest.mark.parametrize("seed", range(10))
def test_ring_of_one_region_has_no_partitions(seed: int) -> None:
    scenario = read_scenario('operation = []\n[ring]\nregions = ["tokyo"]\n[swarm]\nkinds = ["cut", "clock"]', "one")
    assert {fault.kind for fault in make_plan(scenario, seed).faults} <= {FaultKind.CLOCK}
    partitions = read_scenario('operation = []\n[ring]\nregions = ["tokyo"]\n[swarm]\nkinds = ["cut"]', "one")
    assert make_plan(partitions, seed).faults == ()


def test_knobs_are_turned_to_their_ends_in_about_half_of_the_seeds() -> None:
    turned_ones = [plan.knobs for plan in PLANS if plan.knobs]
    assert 100 < len(turned_ones) < 200
    assert {name for knobs in turned_ones for name in knobs} == set(KNOBS)
    assert all(value in (KNOBS[name].low, KNOBS[name].high) for knobs in turned_ones for name, value in knobs.items())


def test_swarm_without_knobs_turns_none() -> None:
    scenario = read_scenario("operation = []\n[swarm]\nknobs = false", "swarm")
    assert not any(make_plan(scenario, seed).knobs for seed in range(30))


def test_every_knob_is_a_limit_of_the_engine_between_its_ends() -> None:
    for name, ends in KNOBS.items():
        assert ends.low <= getattr(limits, name) <= ends.high, name


def test_turned_knob_holds_in_every_module_that_imported_it_until_the_end() -> None:
    block, group = limits.COUNTER_BLOCK, limits.GROUP_RECORDS_MAX
    with turned({"COUNTER_BLOCK": 4.0, "GROUP_RECORDS_MAX": 1.0}):
        assert (limits.COUNTER_BLOCK, vars(minting)["COUNTER_BLOCK"]) == (4, 4)
        assert isinstance(vars(minting)["COUNTER_BLOCK"], int)
        assert vars(writer)["GROUP_RECORDS_MAX"] == 1
    assert (limits.COUNTER_BLOCK, vars(minting)["COUNTER_BLOCK"]) == (block, block)
    assert (limits.GROUP_RECORDS_MAX, vars(writer)["GROUP_RECORDS_MAX"]) == (group, group)
