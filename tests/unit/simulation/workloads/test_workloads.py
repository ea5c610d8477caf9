"""Workloads: what they plan, on whose fields, and the reads that end a run."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from atoll.crdt.schema import Rule, Schema
from atoll.errors import InvalidConfiguration
from atoll.ids import CollectionName, NodeName, RegionName, ShardName, ZoneName
from atoll.keyspace.topology import Collection, Node, Region, Shard, Strategy, Topology, Zone
from atoll.simulation.plan import Action, PlannedOperation
from atoll.simulation.scenario.scenario import Traffic
from atoll.simulation.workloads.registry import WORKLOADS, final_reads

REGIONS = [RegionName(name) for name in ("frankfurt", "tokyo", "virginia")]
FIELD = {Rule.LWW: "title", Rule.COUNTER: "visits", Rule.ADD_WINS_SET: "tags"}
PAIRS = [(workload.name, rule) for workload in WORKLOADS.values() for rule in workload.rules]

on_every_rule = pytest.mark.parametrize(
    ("workload", "rule"), PAIRS, ids=[f"{name} on {rule}" for name, rule in PAIRS]
)


def region(name: RegionName) -> Region:
    node = Node(name=NodeName("n1"), grpc=f"{name}-n1:1", http=f"{name}-n1:2")
    return Region(name=name, nodes=(node,), shards=(Shard(name=ShardName("s1"), dsn=None),))


def zone(name: str, *regions: RegionName) -> Zone:
    return Zone(name=ZoneName(name), home=regions[0], regions=regions)


def collection(name: str, strategy: Strategy, *, strict: bool = False) -> Collection:
    schema = Schema({"tags": Rule.ADD_WINS_SET, "visits": Rule.COUNTER}, strict=strict)
    return Collection(name=CollectionName(name), schema=schema, strategy=strategy)


def topology() -> Topology:
    zones = [zone("global", *REGIONS), zone("eu", REGIONS[0], REGIONS[2])]
    collections = [
        collection("cities", Strategy.HASH),
        collection("people", Strategy.HYBRID),
        collection("forms", Strategy.HASH, strict=True),
    ]
    return Topology(
        ring="test",
        regions={name: region(name) for name in REGIONS},
        zones={one.name: one for one in zones},
        collections={one.name: one for one in collections},
    )


def traffic(workload: str, rule: Rule, **changes: object) -> Traffic:
    given = {"collection": "cities", "field": FIELD[rule], "operations_per_second": 50.0, "workload": workload}
    return Traffic(**{**given, **changes})  # type: ignore[arg-type]


def generate(workload: str, rule: Rule, seed: str = "1", **changes: object) -> list[PlannedOperation]:
    return WORKLOADS[workload].generate(Random(seed), traffic(workload, rule, **changes), topology(), 20.0)


@on_every_rule
def test_equal_seeds_plan_equal_operations_and_others_do_not(workload: str, rule: Rule) -> None:
    assert generate(workload, rule) == generate(workload, rule)
    assert generate(workload, rule) != generate(workload, rule, seed="2")


@on_every_rule
def test_rate_is_about_what_the_traffic_asks_for(workload: str, rule: Rule) -> None:
    assert 700 < len(generate(workload, rule)) < 1300


@on_every_rule
def test_operations_are_in_order_and_within_the_time(workload: str, rule: Rule) -> None:
    moments = [operation.at_seconds for operation in generate(workload, rule)]
    assert moments == sorted(moments)
    assert moments[0] > 0
    assert moments[-1] < 20


@on_every_rule
def test_written_values_are_unique_where_the_workload_does_not_reuse_elements(workload: str, rule: Rule) -> None:
    if workload == "add_remove":
        return
    writes = [o for o in generate(workload, rule) if o.action in (Action.ADD, Action.SET, Action.INCREMENT)]
    assert writes
    amounts = Counter(abs(o.argument) if isinstance(o.argument, int) else o.argument for o in writes)
    assert max(amounts.values()) == 1


@on_every_rule
def test_clients_are_named_by_their_region_and_stay_there_unless_told_to_roam(workload: str, rule: Rule) -> None:
    operations = generate(workload, rule, regions=(REGIONS[0], REGIONS[1]))
    assert {o.client for o in operations} == {"frankfurt/c1", "frankfurt/c2", "tokyo/c1", "tokyo/c2"}
    if workload not in ("sessions", "chains"):
        assert all(o.client.startswith(f"{o.region}/") for o in operations)


def test_roaming_clients_stay_where_they_went_until_they_move_again() -> None:
    operations = generate("adds", Rule.ADD_WINS_SET, roaming=0.2, clients=1)
    mine = [o.region for o in operations if o.client == "tokyo/c1"]
    moves = sum(a != b for a, b in pairwise(mine))
    assert 0.1 < moves / len(mine) < 0.3


def test_gossip_makes_clients_hear_from_others() -> None:
    operations = generate("registers", Rule.LWW, gossip=0.5)
    told = [o for o in operations if o.hears]
    assert 0.4 < len(told) / len(operations) < 0.6
    assert all(o.hears != o.client for o in told)


def test_additions_and_removals_meet_on_one_element() -> None:
    changes = [o for o in generate("add_remove", Rule.ADD_WINS_SET) if o.action is not Action.READ]
    pairs = pairwise(changes)
    met = [a for a, b in pairs if (a.key, a.argument) == (b.key, b.argument) and a.region != b.region]
    assert len(met) > len(changes) / 8
    assert {o.action for o in changes} == {Action.ADD, Action.REMOVE}


def test_counters_go_down_too_and_only_some_are_ever_reset() -> None:
    operations = generate("counters", Rule.COUNTER)
    assert any(o.argument < 0 for o in operations if o.action is Action.INCREMENT)
    reset = {o.key for o in operations if o.action is Action.RESET}
    assert reset
    assert reset < {o.key for o in operations}


def test_commenter_hears_of_the_post_before_it_reads_it() -> None:
    operations = generate("chains", Rule.ADD_WINS_SET)
    told = [o for o in operations if o.hears]
    assert told
    assert all(o.action is Action.READ and o.key.startswith("posts-") for o in told)
    assert any(o.key.startswith("comments-") and o.action is Action.ADD for o in operations)


def test_travellers_take_back_only_what_they_added_themselves() -> None:
    operations = generate("sessions", Rule.ADD_WINS_SET)
    removed = [o for o in operations if o.action is Action.REMOVE]
    assert len(removed) > 50
    assert all(o.argument.startswith(f"{o.client}:") for o in removed)
    assert {o.argument for o in removed} < {o.argument for o in operations if o.action is Action.ADD}
    assert len({o.argument for o in removed}) == len(removed)


def test_deletes_touch_whole_records() -> None:
    deletes = [o for o in generate("deletes", Rule.LWW) if o.action is Action.DELETE]
    assert deletes
    assert all(o.field is None for o in deletes)


def test_records_of_a_collection_placed_by_zone_name_their_zone() -> None:
    operations = generate("registers", Rule.LWW, collection="people", zones=("eu", "global"))
    assert {o.zone for o in operations} == {"eu", "global"}
    assert len({o.zone for o in operations if o.key == operations[0].key}) == 1
    assert {o.zone for o in generate("registers", Rule.LWW, collection="people")} == {"global"}
    assert {o.zone for o in generate("registers", Rule.LWW)} == {None}


def test_field_of_another_rule_is_refused_by_name() -> None:
    with pytest.raises(InvalidConfiguration, match=r"'adds' works on .* add_wins_set, but cities.visits is counter"):
        generate("adds", Rule.COUNTER)


def test_undeclared_field_of_a_strict_collection_is_refused() -> None:
    with pytest.raises(InvalidConfiguration, match="name one of tags, visits"):
        generate("registers", Rule.LWW, collection="forms")


def test_every_touched_field_is_read_at_the_end_in_every_region_that_hosts_it() -> None:
    operations = generate("registers", Rule.LWW, collection="people", zones=("eu", "global"), keys=4)
    reads = final_reads([*operations, *generate("deletes", Rule.LWW, keys=1)], topology())
    places = Counter((o.collection, o.key) for o in reads)
    assert places == {
        ("people", "registers-0"): 2,
        ("people", "registers-1"): 3,
        ("people", "registers-2"): 2,
        ("people", "registers-3"): 3,
        ("cities", "deletes-0"): 3,
    }
    assert all(o.action is Action.READ and o.field == "title" for o in reads)
    assert [o.region for o in reads] == sorted((o.region for o in reads), key=REGIONS.index)
