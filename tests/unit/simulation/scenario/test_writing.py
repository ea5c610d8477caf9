"""A plan that is written as a scenario reads back as the same plan, whatever is in it."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atoll.ids import CollectionName, RegionName, ZoneName
from atoll.simulation.network.latency import LatencyTable
from atoll.simulation.plan import Action, Fault, FaultKind, Plan, PlannedOperation
from atoll.simulation.scenario.knobs import KNOBS
from atoll.simulation.scenario.planning import at_seed, make_plan
from atoll.simulation.scenario.reading import read_scenario
from atoll.simulation.scenario.toml import toml_value
from atoll.simulation.scenario.writing import write_plan

RING = """
[ring]
name = "harbours"
shards = 2

[ring.regions.frankfurt]
nodes = 2
[ring.regions.us]
location = "dallas"
shards = ["a", "b", "c"]
[ring.regions.tokyo]

[ring.zones.eu]
home = "frankfurt"
regions = ["frankfurt"]
countries = ["DE", "FR"]

[ring.collections.shop]
fields = { items = "add_wins_set", "a \\"field\\"" = "lww" }
[ring.collections.people]
placement = "hybrid"
strict = true
fields = { name = "lww", visits = "counter" }
[ring.collections.eu_only]
placement = "hybrid"
zone = "eu"

[network]
jitter = 0.25
bandwidth_mbps = 100
[expect]
converged_within_seconds = 7.5
availability = { frankfurt = 0.99 }
[swarm]
"""
SCENARIO = read_scenario(RING, "harbours")

SECONDS = st.floats(min_value=0.001, max_value=19.999, allow_nan=False)
VALUES = st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.booleans())
TARGETS: dict[FaultKind, list[str]] = {
    FaultKind.CUT: ["frankfurt>us", "us>tokyo", "tokyo>frankfurt"],
    FaultKind.CRASH_NODE: ["frankfurt/n1", "frankfurt/n2", "tokyo/n1"],
    FaultKind.CLOCK: ["frankfurt/n2", "us/n1"],
    FaultKind.SLOW_SHARD: ["us/c", "tokyo/s1"],
    FaultKind.AMBIGUOUS_SHARD: ["us/a"],
    FaultKind.LOSE_REGION: ["us", "tokyo"],
}
PARAMETERS: dict[FaultKind, st.SearchStrategy[dict[str, float]]] = {
    FaultKind.CUT: st.sampled_from([{}, {"reset": 0}, {"reset": 1.0}]),
    FaultKind.CLOCK: st.fixed_dictionaries(
        {"offset_ms": st.floats(-60_000, 60_000)}, optional={"drift_ppm": st.integers(-9, 9), "keep": st.just(1)}
    ),
    FaultKind.SLOW_SHARD: st.fixed_dictionaries({"factor": st.floats(1, 500)}),
    FaultKind.AMBIGUOUS_SHARD: st.fixed_dictionaries({}, optional={"share": st.floats(0, 1)}),
}


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    kind = draw(st.sampled_from(list(TARGETS)))
    return Fault(
        at_seconds=draw(SECONDS),
        duration_seconds=draw(SECONDS),
        kind=kind,
        targets=tuple(draw(st.lists(st.sampled_from(TARGETS[kind]), min_size=1, unique=True))),
        parameters=draw(PARAMETERS.get(kind, st.just({}))),
        story=draw(st.sampled_from(["", "swizzle", "clock_jump"])),
    )


@st.composite
def operations(draw: st.DrawFn) -> PlannedOperation:
    action = draw(st.sampled_from(list(Action)))
    collection, zone = draw(
        st.sampled_from([("shop", None), ("people", "eu"), ("people", "global"), ("eu_only", None)])
    )
    return PlannedOperation(
        at_seconds=draw(SECONDS),
        client=draw(st.sampled_from(["c1", "tokyo/c2.1"])),
        region=RegionName(draw(st.sampled_from(["frankfurt", "us", "tokyo"]))),
        workload=draw(st.sampled_from(["adds", "registers", "deletes"])),
        action=action,
        collection=CollectionName(collection),
        key=draw(st.text(min_size=1)),
        field=None if action is Action.DELETE else draw(st.sampled_from(["items", 'a "field"'])),
        zone=ZoneName(zone) if zone else None,
        argument=draw(st.one_of(st.none(), VALUES)),
        timeout_seconds=draw(st.sampled_from([5.0, 0.5])),
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    return Plan(
        seconds=20.0,
        settle_seconds=draw(SECONDS),
        operations=tuple(draw(st.lists(operations(), max_size=6))),
        faults=tuple(sorted(draw(st.lists(faults(), max_size=6)), key=lambda fault: fault.at_seconds)),
        scheduling=draw(st.sampled_from(["uniform", "fifo", "pct:3"])),
        client_kind=draw(st.sampled_from(["remote", "embedded"])),
        knobs={name: KNOBS[name].high for name in draw(st.lists(st.sampled_from(list(KNOBS)), unique=True))},
    )


@settings(max_examples=150, deadline=None)
@given(plan=plans(), seed=st.integers(0, 1_000_000))
def test_written_plan_reads_back_as_itself_with_any_seed(plan: Plan, seed: int) -> None:
    text = write_plan(SCENARIO, plan, seed)
    read = read_scenario(text, "minimal")
    assert make_plan(read, seed) == plan
    assert make_plan(read, seed + 1) == plan
    assert read.seeds == (seed,)


def test_written_scenario_has_the_same_ring_network_disk_and_expectation() -> None:
    read = read_scenario(write_plan(SCENARIO, make_plan(SCENARIO, 3), 3), "minimal")
    assert read.topology == SCENARIO.topology
    assert read.network == SCENARIO.network
    assert read.disk == SCENARIO.disk
    assert read.expectation == SCENARIO.expectation


@pytest.mark.parametrize("seed", range(40))
def test_plan_of_a_swarm_on_a_drawn_ring_reads_back_with_the_ring_it_was_made_for(seed: int) -> None:
    scenario = read_scenario('[ring]\nregions = "any"\n[run]\nscheduling = "any"\nclient = "any"\n[swarm]', "any")
    plan = make_plan(scenario, seed)
    read = read_scenario(write_plan(scenario, plan, seed), "minimal")
    assert make_plan(read, seed) == plan
    assert read.topology == at_seed(scenario, seed).topology


def test_given_round_trips_are_spelled_out_for_the_places_in_use() -> None:
    table = LatencyTable.parse("from,a,b,my place\na,0,10,20\nb,11,0.5,30\nmy place,21,31,0", "mine.csv")
    network = replace(SCENARIO.network, table=table, locations=dict.fromkeys(SCENARIO.topology.regions, "my place"))
    far = replace(network, locations={**network.locations, RegionName("us"): "b"})
    read = read_scenario(write_plan(replace(SCENARIO, network=far), make_plan(SCENARIO, 1), 1), "minimal")
    assert read.network.table.places == ("my place", "b")
    assert read.network.table.round_trip_ms("b", "my place") == 30
    assert read.network.table.round_trip_ms("my place", "b") == 31
    assert read.network.table.round_trip_ms("b", "b") == 0.5


def test_plan_without_operations_stays_without() -> None:
    plan = replace(make_plan(SCENARIO, 1), operations=(), faults=())
    assert make_plan(read_scenario(write_plan(SCENARIO, plan, 1), "minimal"), 1).operations == ()


@given(value=st.recursive(VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_every_value_reads_back(value: Any) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}") == {"x": value}


def test_value_that_toml_has_no_word_for_is_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        toml_value(1j)
