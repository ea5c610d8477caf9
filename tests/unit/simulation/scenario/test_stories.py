"""Every story comes to the faults that its name promises, on any ring, and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from atoll.keyspace.topology import Topology
from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.scenario.faults import STORIES
from atoll.simulation.scenario.reading import read_scenario
from atoll.simulation.scenario.story import Story, link_names

PLACES = ["frankfurt", "dallas", "tokyo", "sydney", "london"]


def ring(count: int) -> Topology:
    return read_scenario(f"[ring]\nregions = {PLACES[:count]}\nnodes = 2", "ring").topology


def told(kind: str, **given: Any) -> Story:
    return STORIES[kind].model_validate({"kind": kind, "at_seconds": 2, "for_seconds": 10, **given})


def faults(kind: str, count: int = 3, seed: int = 1, **given: Any) -> Sequence[Fault]:
    story = told(kind, **given)
    assert list(story.problems(ring(count))) == []
    return story.expand(Random(f"{seed}"), ring(count))


def cut_links(kind: str, count: int = 3, seed: int = 1, **given: Any) -> set[str]:
    (fault,) = faults(kind, count, seed, **given)
    assert fault.kind is FaultKind.CUT
    assert (fault.at_seconds, fault.duration_seconds, fault.story) == (2, 10, kind)
    return set(fault.targets)


def both(*pairs: str) -> set[str]:
    return {way for pair in pairs for way in (pair, ">".join(reversed(pair.split(">"))))}


def open_links(kind: str, count: int, seed: int) -> set[str]:
    return set(link_names(ring(count))) - cut_links(kind, count, seed)


# -- partitions ---------------------------------------------------------------------------------------------------


def test_given_groups_do_not_see_each_other_and_the_rest_sees_everyone() -> None:
    links = cut_links("halves", 4, groups=[["frankfurt", "dallas"], ["tokyo"]])
    assert links == both("frankfurt>tokyo", "dallas>tokyo")


@pytest.mark.parametrize("seed", range(20))
def test_drawn_halves_are_two_islands(seed: int) -> None:
    links = open_links("halves", 5, seed)
    seen = {one: {one, *(two for two in PLACES if f"{one}>{two}" in links)} for one in PLACES}
    assert sorted({len(island) for island in seen.values()}) == [2, 3]
    assert all(seen[other] == seen[one] for one in PLACES for other in seen[one])


def test_halves_differ_between_seeds() -> None:
    assert len({frozenset(cut_links("halves", 5, seed)) for seed in range(20)}) > 3


def test_isolated_region_neither_hears_nor_is_heard() -> None:
    assert cut_links("isolate", region="tokyo") == both("tokyo>frankfurt", "tokyo>dallas")


@pytest.mark.parametrize("seed", range(10))
def test_bridge_sees_both_halves_which_do_not_see_each_other(seed: int) -> None:
    links = cut_links("bridge", 5, seed, region="tokyo")
    assert not any("tokyo" in link for link in links)
    assert len(links) == 2 * 2 * 2


def test_neighbours_on_the_ring_see_each_other_and_nobody_else() -> None:
    links = set(link_names(ring(5))) - cut_links("ring", 5, order=PLACES)
    assert links == both(*(f"{one}>{two}" for one, two in pairwise([*PLACES, PLACES[0]])))


@pytest.mark.parametrize("count", [3, 4, 5])
@pytest.mark.parametrize("seed", range(5))
def test_every_region_of_a_majorities_ring_hears_another_majority(count: int, seed: int) -> None:
    links = open_links("majorities_ring", count, seed)
    heard = {
        frozenset({region, *(other for other in PLACES[:count] if f"{other}>{region}" in links)})
        for region in PLACES[:count]
    }
    assert {len(majority) for majority in heard} == {count // 2 + 1}
    assert len(heard) == count


def test_one_way_cuts_one_direction() -> None:
    assert cut_links("one_way", **{"from": "dallas", "to": "tokyo"}) == {"dallas>tokyo"}


def test_deaf_region_is_heard_and_mute_region_hears() -> None:
    assert cut_links("one_way", region="tokyo", way="deaf") == {"dallas>tokyo", "frankfurt>tokyo"}
    assert cut_links("one_way", region="tokyo", way="mute") == {"tokyo>dallas", "tokyo>frankfurt"}


@pytest.mark.parametrize("seed", range(10))
def test_drawn_ends_of_a_link_are_two_regions(seed: int) -> None:
    (link,) = cut_links("one_way", 3, seed, **{"from": "any", "to": "any"})
    assert link in link_names(ring(3))
    (other,) = cut_links("one_way", 3, seed, **{"from": "any", "to": "tokyo"})
    assert other in ("dallas>tokyo", "frankfurt>tokyo")
    assert len(cut_links("link", 3, seed, between=["any", "any"])) == 2
    assert len(cut_links("link", 3, seed, between=["any", "tokyo"])) == 2


def test_flapping_link_is_away_for_its_share_of_every_period() -> None:
    flaps = faults("flapping", between=["dallas", "tokyo"], period_seconds=4, down_share=0.75)
    assert [(flap.at_seconds, flap.duration_seconds) for flap in flaps] == [(2, 3), (6, 3), (10, 2)]
    assert {flap.targets for flap in flaps} == {("dallas>tokyo", "tokyo>dallas")}


def test_flapping_region_flaps_with_all_of_its_links() -> None:
    assert set(faults("flapping", region="tokyo")[0].targets) == both("tokyo>frankfurt", "tokyo>dallas")


@pytest.mark.parametrize("seed", range(20))
def test_swizzle_takes_half_of_the_regions_away_one_by_one_and_brings_them_back_by_the_end(seed: int) -> None:
    cuts = faults("swizzle", 5, seed)
    assert len({cut.targets for cut in cuts}) == len(cuts) == 3
    for cut in cuts:
        assert len(cut.targets) == 8
        assert 2 <= cut.at_seconds <= 7 <= cut.at_seconds + cut.duration_seconds + 0.001
        assert cut.at_seconds + cut.duration_seconds <= 12.002


# -- machines and clocks ------------------------------------------------------------------------------------------


def test_slow_link_says_how_slow() -> None:
    (fault,) = faults("slow_link", region="tokyo", latency_factor=5, loss=0.1)
    assert fault.kind is FaultKind.DEGRADE
    assert set(fault.targets) == both("tokyo>frankfurt", "tokyo>dallas")
    assert fault.parameters == {"latency_factor": 5, "jitter_factor": 3, "loss": 0.1}


def test_rolling_restart_takes_one_node_after_the_other() -> None:
    restarts = faults("rolling_restart", regions=["tokyo", "dallas"], down_seconds=0.5)
    assert [restart.targets for restart in restarts] == [
        ("dallas/n1",),
        ("dallas/n2",),
        ("tokyo/n1",),
        ("tokyo/n2",),
    ]
    assert [restart.at_seconds for restart in restarts] == [2, 4.5, 7, 9.5]
    assert {(restart.kind, restart.duration_seconds) for restart in restarts} == {(FaultKind.CRASH_NODE, 0.5)}


def test_clock_that_is_off_comes_back_and_one_that_jumped_does_not() -> None:
    (off,) = faults("clock_offset", targets="tokyo", offset_ms=-300)
    (jump,) = faults("clock_jump", targets="tokyo/n2", offset_ms=700)
    assert (off.targets, off.parameters) == (("tokyo/n1", "tokyo/n2"), {"offset_ms": -300})
    assert (jump.targets, jump.parameters) == (("tokyo/n2",), {"offset_ms": 700, "keep": 1})


def test_strobing_clock_jumps_there_and_back() -> None:
    strobes = faults("clock_strobe", targets="dallas/n1", offset_ms=200, period_seconds=4)
    assert [(strobe.at_seconds, strobe.duration_seconds) for strobe in strobes] == [(2, 2), (6, 2), (10, 2)]


def test_step_of_time_synchronisation_takes_back_what_the_drift_gained() -> None:
    drift, step = faults("ntp_step", targets="dallas/n1", drift_ppm=10_000)
    assert (drift.at_seconds, drift.duration_seconds, drift.parameters) == (2, 10, {"drift_ppm": 10_000})
    assert (step.at_seconds, step.parameters) == (12, {"offset_ms": -100, "keep": 1})


# -- the faults of a plan -----------------------------------------------------------------------------------------


def test_region_stands_for_all_of_its_nodes_and_shards() -> None:
    assert faults("crash_node", targets="tokyo")[0].targets == ("tokyo/n1", "tokyo/n2")
    assert faults("slow_shard", targets=["tokyo", "dallas/s1"])[0].targets == ("tokyo/s1", "tokyo/s2", "dallas/s1")
    assert faults("lose_region", targets="tokyo")[0].targets == ("tokyo",)


def test_any_target_is_drawn_by_the_seed() -> None:
    assert {faults("pause_node", seed=seed, targets="any")[0].targets[0] for seed in range(40)} == {
        f"{region}/n{number}" for region in PLACES[:3] for number in (1, 2)
    }


def test_only_given_parameters_are_in_the_fault() -> None:
    assert faults("failover_shard", targets="tokyo/s1")[0].parameters == {}
    assert faults("cut", targets="dallas>tokyo", reset=1)[0].parameters == {"reset": 1}


def test_every_kind_of_fault_can_be_told() -> None:
    assert {str(kind) for kind in FaultKind} <= STORIES.keys()


@pytest.mark.parametrize(
    ("kind", "given", "problem"),
    [
        (
            "halves",
            {"groups": [["tokyo"], ["tokyo", "dallas"]]},
            "groups: region 'tokyo' stands in two groups: keep one",
        ),
        ("isolate", {"region": "tokio"}, "region: no region 'tokio': did you mean 'tokyo'? known: frankfurt, dallas"),
        ("ring", {}, "kind: needs at least 4 regions, and there are 3"),
        ("majorities_ring", {"order": ["tokyo"]}, "order: name every region once: frankfurt, dallas, tokyo"),
        ("one_way", {"from": "tokyo"}, "kind: 'one_way' needs either from and to, or region and way"),
        ("one_way", {"from": "tokyo", "to": "dallas", "region": "tokyo"}, "kind: 'one_way' needs either from and to"),
        ("one_way", {"from": "tokyo", "to": "tokyo"}, "to: 'tokyo' is where it comes from: name another region"),
        ("link", {"between": ["tokyo", "tokyo"]}, "between: region 'tokyo' twice: name two regions"),
        ("flapping", {}, "kind: 'flapping' needs either region or between = [REGION, REGION]"),
        (
            "flapping",
            {"region": "any", "period_seconds": 0.0001},
            "period_seconds: 0.0001 s is 100,000 times in 10 s",
        ),
        ("clock_strobe", {"offset_ms": 1, "period_seconds": 0.0001}, "period_seconds: 0.0001 s is 100,000 times"),
        (
            "slow_link",
            {"region": "tokyo", "between": ["tokyo", "dallas"]},
            "kind: 'slow_link' needs either region or",
        ),
        ("rolling_restart", {"regions": "oslo"}, "regions: no region 'oslo': known: frankfurt, dallas, tokyo"),
        (
            "clock_jump",
            {"targets": "tokyo/n3", "offset_ms": 1},
            "targets: no node or region 'tokyo/n3': did you mean",
        ),
        ("clock", {"targets": "tokyo"}, "kind: 'clock' changes nothing as it is: give offset_ms or drift_ppm"),
        ("degrade", {"targets": "any"}, "kind: 'degrade' changes nothing as it is: give latency_factor"),
        ("cut", {"targets": "tokyo"}, "targets: no link 'tokyo': "),
        ("crash_shard", {"targets": "tokyo/n1"}, "targets: no shard 'tokyo/n1': did you mean 'tokyo/s1'?"),
    ],
)
def test_story_that_cannot_happen_says_why(kind: str, given: dict[str, Any], problem: str) -> None:
    (found,) = told(kind, **given).problems(ring(3))
    assert ": ".join(found).startswith(problem)


@pytest.mark.parametrize("kind", ["halves", "isolate", "one_way", "link", "flapping", "swizzle"])
def test_one_region_alone_cannot_be_partitioned(kind: str) -> None:
    given: dict[str, dict[str, Any]] = {
        "isolate": {"region": "any"},
        "one_way": {"from": "any", "to": "any"},
        "link": {"between": ["any", "any"]},
        "flapping": {"region": "any"},
    }
    found = told(kind, **given.get(kind, {})).problems(ring(1))
    assert ("kind", "needs at least 2 regions, and there are 1") in list(found)
