"""Scenarios are read with defaults that work, and refused with every problem told by key and fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from atoll.errors import InvalidConfiguration
from atoll.simulation.plan import FaultKind
from atoll.simulation.scenario.planning import make_plan
from atoll.simulation.scenario.reading import load_scenario, read_scenario
from atoll.simulation.scenario.scenario import Group, Scenario

TEN_LINES = """
story = "Tokyo is alone for a while."
[ring]
regions = ["frankfurt", "tokyo"]
[[fault]]
kind = "isolate"
region = "tokyo"
at_seconds = 5
for_seconds = 10
"""

CONFIGURATION = """
ring = "shop"
token_key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
[regions.eu]
nodes = ["a", "b"]
shards = { s1 = { dsn = "postgresql://atoll:secret@db.example/eu" } }
[regions.us.nodes.n1]
grpc = "10.0.0.1:7443"
[regions.us.shards.s1]
[collections.carts]
fields = { items = "add_wins_set", total = "counter" }
"""


def read(text: str) -> Scenario:
    return read_scenario(text, "story")


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidConfiguration) as raised:
        read(text)
    return [line.strip() for line in str(raised.value).splitlines()[1:]]


# -- what works ---------------------------------------------------------------------------------------------------


def test_scenario_of_ten_lines_has_all_it_needs() -> None:
    scenario = read(TEN_LINES)
    assert (scenario.name, scenario.title, scenario.group) == ("story", "story", Group.FAST)
    assert [len(region.shards) for region in scenario.topology.regions.values()] == [2, 2]
    assert {entry.workload for entry in scenario.traffic} == {"adds", "counters", "registers"}
    assert sum(entry.operations_per_second for entry in scenario.traffic) == pytest.approx(50)
    assert [fault.story for fault in make_plan(scenario, 1).faults] == ["isolate"]


def test_empty_scenario_is_a_calm_ring_of_three_regions() -> None:
    scenario = read("")
    assert list(scenario.topology.regions) == ["frankfurt", "dallas", "tokyo"]
    assert make_plan(scenario, 1).faults == ()
    assert make_plan(scenario, 1).operations


def test_nodes_have_made_up_addresses() -> None:
    regions = read("[ring]\nregions = ['tokyo']\nnodes = 2").topology.regions.values()
    assert [(node.name, node.grpc, node.http) for region in regions for node in region.nodes] == [
        ("n1", "tokyo-n1:7443", "tokyo-n1:9443"),
        ("n2", "tokyo-n2:7443", "tokyo-n2:9443"),
    ]


def test_nodes_and_shards_are_counted_or_named_for_all_or_for_one_region() -> None:
    scenario = read("[ring]\nshards = ['x', 'y']\n[ring.regions.tokyo]\nnodes = 3\n[ring.regions.osaka]\nshards = 1")
    assert [[shard.name for shard in region.shards] for region in scenario.topology.regions.values()] == [
        ["x", "y"],
        ["s1"],
    ]
    assert [len(region.nodes) for region in scenario.topology.regions.values()] == [3, 1]


def test_own_configuration_replaces_the_ring_and_leaves_no_address_or_database_of_it(tmp_path: Path) -> None:
    configuration, file = tmp_path / "atoll.toml", tmp_path / "mine.toml"
    configuration.write_text(CONFIGURATION)
    file.write_text('[network.locations]\neu = "frankfurt"\nus = "dallas"\n[ring]\nregions = ["tokyo"]\n')
    scenario = load_scenario(file, configuration)
    assert scenario.network.locations == {"eu": "frankfurt", "us": "dallas"}
    assert [node.grpc for node in scenario.topology.regions["eu"].nodes] == ["eu-a:7443", "eu-b:7443"]
    assert {shard.dsn for region in scenario.topology.regions.values() for shard in region.shards} == {None}
    assert "10.0.0.1" not in repr(scenario.topology)
    assert {(entry.collection, entry.field) for entry in scenario.traffic} == {("carts", "items"), ("carts", "total")}


def test_own_configuration_without_places_is_asked_for_them(tmp_path: Path) -> None:
    configuration, file = tmp_path / "atoll.toml", tmp_path / "mine.toml"
    configuration.write_text(CONFIGURATION)
    file.write_text("")
    with pytest.raises(InvalidConfiguration, match=r"network\.locations\.eu: no place 'eu': ") as raised:
        load_scenario(file, configuration)
    assert "network.locations.us: no place 'us': " in str(raised.value)


def test_table_of_latencies_is_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("from,here,there\nhere,0,40\nthere,44,0\n")
    file = tmp_path / "mine.toml"
    file.write_text('[ring]\nregions = ["here", "there"]\n[network]\nlatency = "mine.csv"\n')
    assert load_scenario(file).network.table.round_trip_ms("there", "here") == 44


def test_hole_in_the_table_of_latencies_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("from,here,there\nhere,0,40\nthere,,0\n")
    file = tmp_path / "mine.toml"
    file.write_text('[network]\nlatency = "mine.csv"\n')
    with pytest.raises(InvalidConfiguration, match=r"mine\.csv, line 3: there is no figure from there to here"):
        load_scenario(file)


def test_latencies_given_in_the_scenario_hold_both_ways_unless_both_are_given() -> None:
    table = read(
        '[ring]\nregions = ["a", "b", "c"]\n[network.latency]\na = { b = 10, c = 20 }\nb = { a = 12, c = 30 }'
    )
    trips = table.network.table
    assert [trips.round_trip_ms(*pair) for pair in ("ab", "ba", "ca", "cb", "aa")] == [10, 12, 20, 30, 0]


def test_missing_latency_between_two_places_is_told() -> None:
    with pytest.raises(
        InvalidConfiguration, match=r"network\.latency: no figure between b and c: give the round trip"
    ):
        read('[ring]\nregions = ["a", "b", "c"]\n[network.latency]\na = { b = 10, c = 20 }')


def test_plain_faults_are_in_every_plan_and_others_are_told_anew_by_each_seed() -> None:
    scenario = read(
        TEN_LINES + '[[fault]]\nkind = "crash_node"\ntargets = "tokyo/n1"\nat_seconds = 1\nfor_seconds = 1\n'
        '[[fault]]\nkind = "pause_node"\ntargets = "any"\nat_seconds = 2\nfor_seconds = 1\n'
    )
    assert [fault.kind for fault in scenario.faults] == [FaultKind.CRASH_NODE]
    paused = {make_plan(scenario, seed).faults[1].targets for seed in range(20)}
    assert paused == {("frankfurt/n1",), ("tokyo/n1",)}


def test_given_operations_are_all_there_is() -> None:
    scenario = read(
        "[[operation]]\nat_seconds = 1\nclient = 'c'\nregion = 'tokyo'\nworkload = 'adds'\naction = 'add'\n"
        "collection = 'things'\nkey = 'k'\nfield = 'tags'\nargument = 'x'\n"
    )
    assert scenario.traffic == ()
    assert [operation.argument for operation in make_plan(scenario, 5).operations] == ["x"]


# -- what is refused ----------------------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_told_at_once() -> None:
    found = problems(
        TEN_LINES.replace('"tokyo"\nat', '"tokio"\nat')
        + '[[traffic]]\nworkload = "add"\ncollection = "thing"\nfield = "tags"\n[knobs]\nFRAME_BITES = 1\n'
    )
    assert [line.partition(": known")[0] for line in found] == [
        "fault #1.region: no region 'tokio': did you mean 'tokyo'? known: frankfurt, tokyo, any",
        found[1],
        "traffic #1.collection: no collection 'thing': did you mean 'things'? known: things",
        found[3],
    ]
    assert found[1].startswith("traffic #1.workload: no workload 'add': did you mean 'adds'? known: adds, ")
    assert found[3].startswith("knobs.FRAME_BITES: no knob 'FRAME_BITES': did you mean 'FRAME_BYTES'? known: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("titel = 'x'", "titel: no such key, 'titel': did you mean 'title'? known: title, story, "),
        ("[ring]\nregions = 'tokyo'", 'ring.regions: write a list: regions = ["tokyo"], or "any"'),
        ("[ring]\nregions = ['tokyo', 'tokyo']", "ring.regions: duplicate name 'tokyo': remove or rename"),
        ("[ring]\nregions = ['tokyo', 3]", "ring.regions: a list of names expected"),
        ("[ring]\nregions = ['Tokyo']", "ring.regions.Tokyo: region name 'Tokyo' is not allowed"),
        ("[ring]\nshards = 0", "ring.shards: a number from 1 to 64, or a list of names, expected, not 0"),
        ("[ring]\nname = 'A'", "ring.name: ring name 'A' is not allowed"),
        ("[ring]\nany_regions = true", "ring.any_regions: no such key, 'any_regions'"),
        ("[ring]\nzones = 2", 'ring.zones: a number is for regions = "any"'),
        ("[ring]\nregions = 'any'\n[ring.zones.eu]\nhome = 'x'", 'ring.zones: with regions = "any" zones are drawn'),
        ("[ring.regions.tokyo]\nshard = 2", "ring.regions.tokyo.shard: no such key, 'shard': did you mean 'shards'?"),
        ("[ring.regions.x]", "network.locations.x: no place 'x': known: dallas, "),
        ("[ring.regions.x]\nlocation = 'osako'", "ring.regions.x.location: no place 'osako': did you mean 'osaka'?"),
        ("[network.locations]\noslo = 'tokyo'", "network.locations.oslo: no region 'oslo': known: frankfurt, "),
        ("[ring.zones.eu]\nhome = 'paris'", "ring.zones.eu.regions: is missing: residency is never guessed"),
        ("[ring.collections.c.fields]\na = 'sett'", "ring.collections.c.fields.a: no merge rule 'sett': known: lww"),
        ("[network]\nloss = 2", "network.loss: should be less than or equal to 0.9, not 2"),
        ("[disk]\nflush_ms_min = 9", "disk.flush_ms_min: above disk.flush_ms_max: exchange the two"),
        (
            "[run]\nseconds = 'x'",
            "run.seconds: should be a valid number, unable to parse string as a number, not 'x'",
        ),
        ("[run]\nscheduling = 'pct'", "run.scheduling: 'pct': one of uniform, fifo, pct:DEPTH or any"),
        ("[run]\nclient = 'remot'", "run.client: no kind of client 'remot': did you mean 'remote'?"),
        ("[swarm]\nkinds = ['cuts']", "swarm.kinds #1: should be 'cut', "),
        ("[swarm]\nseconds_min = 9", "swarm.seconds_min: above swarm.seconds_max: exchange the two"),
        ("[knobs]\nFRAME_BYTES = 1", "knobs.FRAME_BYTES: 1 is not between 512 and "),
        ("[expect]\navailability = { oslo = 1 }", "expect.availability.oslo: no region 'oslo': known: frankfurt, "),
        ("[[fault]]\nkind = 'cuts'", "fault #1.kind: no fault 'cuts': did you mean 'cut'? known: halves, "),
        ("[[fault]]\nat_seconds = 1", "fault #1.kind: is missing: one of halves, "),
        (
            "[[fault]]\nkind = 'swizzle'\nat_seconds = 30\nfor_seconds = 1",
            "fault #1.at_seconds: 30 s is after the end of the run: begin before 20 s, or raise run.seconds",
        ),
        (
            "[[fault]]\nkind = 'swizzle'\nat_seconds = 3\nfor_seconds = 1\nreste = true",
            "fault #1.reste: no such key, 'reste': did you mean 'reset'? known: kind, at_seconds, for_seconds, reset",
        ),
        (
            "[[fault]]\nkind = 'one_way'\nat_seconds = 3\nfor_seconds = 1\nfrom = 'tokyo'\nton = 'x'",
            "fault #1.ton: no such key, 'ton': did you mean 'to'? known: kind, at_seconds, for_seconds, reset, from",
        ),
        (
            "[ring]\nregions = 'any'\n[[fault]]\nkind = 'isolate'\nregion = 'tokyo'\nat_seconds = 3\nfor_seconds = 1",
            'fault #1: the ring is drawn for each seed: name "any" instead of a place',
        ),
        (
            "[[traffic]]\nworkload = 'adds'\ncollection = 'things'\nfield = 'note'",
            "traffic #1.field: the workload 'adds' works on a field whose merge rule is add_wins_set",
        ),
        (
            "[[traffic]]\nworkload = 'adds'\ncollection = 'things'\nfield = 'tags'\nzones = ['global']",
            "traffic #1.zones: records of 'things' are all in one zone",
        ),
        (
            "[[traffic]]\nworkload = 'adds'\ncollection = 'things'\nfield = 'tags'\noperations_per_second = 90000",
            "traffic: 1,800,000 operations: at most 1,000,000 are allowed",
        ),
        (
            2 * "[[traffic]]\nworkload = 'adds'\ncollection = 'things'\nfield = 'tags'\n",
            "traffic #2: the same workload on the same field twice: keep one of the two",
        ),
        (
            "[[operation]]\nat_seconds = 1\nclient = 'c'\nregion = 'tokyo'\nworkload = 'adds'\naction = 'add'\n"
            "collection = 'things'\nkey = 'k'",
            "operation #1.field: is missing: add works on one field",
        ),
        (
            "[[operation]]\nat_seconds = 1\nclient = 'c'\nregion = 'tokyo'\nworkload = 'adds'\naction = 'read'\n"
            "collection = 'things'\nkey = 'k'\nhears = 'd'",
            "operation #1.hears: no client 'd': known: c",
        ),
    ],
)
def test_mistake_is_told_with_its_key_and_fix(text: str, problem: str) -> None:
    assert [line for line in problems(text) if line.startswith(problem)], problems(text)


def test_file_that_is_no_toml_names_the_line() -> None:
    with pytest.raises(InvalidConfiguration, match=r"story: not valid TOML: .*line 1"):
        read("title = x\n")


def test_missing_file_says_where_scenarios_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"no such file: `atoll simulate list` shows"):
        load_scenario(tmp_path / "none.toml")
