"""A scenario and a seed make one plan, the same in every process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from atoll.simulation.scenario.planning import at_seed, make_plan
from atoll.simulation.scenario.reading import read_scenario

EVERYTHING = """
[ring]
regions = "any"
zones = 2
[ring.collections.shop]
placement = "hybrid"
fields = { items = "add_wins_set", stock = "counter", status = "lww" }
[run]
scheduling = "any"
client = "any"
[[traffic]]
workload = "add_remove"
collection = "shop"
field = "items"
roaming = 0.2
gossip = 0.2
zones = ["z1", "z2", "global"]
[[traffic]]
workload = "sessions"
collection = "shop"
field = "status"
[[fault]]
kind = "swizzle"
at_seconds = 2
for_seconds = 9
[[fault]]
kind = "clock_jump"
offset_ms = 100
at_seconds = 4
for_seconds = 9
[swarm]
"""

PRINT_DIGEST = f"""
import hashlib
from atoll.simulation.scenario.planning import at_seed, make_plan
from atoll.simulation.scenario.reading import read_scenario
scenario = read_scenario('''{EVERYTHING}''', "everything")
text = repr([(at_seed(scenario, seed).topology, make_plan(scenario, seed)) for seed in range(5)])
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_plans_are_equal_in_processes_of_different_hash_seeds() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", PRINT_DIGEST],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout
        for hash_seed in ("0", "1", "random")
    }
    assert len(digests) == 1


def test_plans_of_different_seeds_differ_and_of_one_seed_do_not() -> None:
    scenario = read_scenario(EVERYTHING, "everything")
    plans = [make_plan(scenario, seed) for seed in range(10)]
    assert plans == [make_plan(scenario, seed) for seed in range(10)]
    assert len({repr(plan) for plan in plans}) == 10


@pytest.mark.parametrize("seed", range(10))
def test_ring_of_a_seed_is_drawn_once(seed: int) -> None:
    scenario = read_scenario(EVERYTHING, "everything")
    settled = at_seed(scenario, seed)
    assert at_seed(settled, seed) == settled
    assert make_plan(settled, seed) == make_plan(scenario, seed)


def test_drawn_rings_have_one_to_five_regions_of_one_to_four_shards() -> None:
    scenario = read_scenario(EVERYTHING, "everything")
    rings = [at_seed(scenario, seed).topology for seed in range(200)]
    assert {len(ring.regions) for ring in rings} == {1, 2, 3, 4, 5}
    assert {len(region.shards) for ring in rings for region in ring.regions.values()} == {1, 2, 3, 4}
    assert {len(region.nodes) for ring in rings for region in ring.regions.values()} == {1, 2}
    assert all({"global", "z1", "z2"} == set(ring.zones) for ring in rings)


def test_what_is_left_open_is_drawn() -> None:
    scenario = read_scenario(EVERYTHING, "everything")
    plans = [make_plan(scenario, seed) for seed in range(100)]
    assert {plan.client_kind for plan in plans} == {"remote", "embedded"}
    assert {plan.scheduling for plan in plans} == {"uniform", "fifo", "pct:2", "pct:3", "pct:5"}


@pytest.mark.parametrize("seed", range(20))
def test_operations_and_faults_are_in_order_and_in_time(seed: int) -> None:
    plan = make_plan(read_scenario(EVERYTHING, "everything"), seed)
    for times in ([each.at_seconds for each in plan.operations], [each.at_seconds for each in plan.faults]):
        assert times == sorted(times)
        assert all(0 <= at_seconds < plan.seconds for at_seconds in times)


def test_clients_of_different_traffic_are_different_clients_who_hear_from_their_own() -> None:
    operations = make_plan(read_scenario(EVERYTHING, "everything"), 5).operations
    by_workload = {
        workload: {operation.client for operation in operations if operation.workload == workload}
        for workload in ("add_remove", "sessions")
    }
    assert not by_workload["add_remove"] & by_workload["sessions"]
    for operation in operations:
        assert operation.hears is None or operation.hears in by_workload[operation.workload]
