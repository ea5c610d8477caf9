"""A prediction asks for every loss and every cut, on the same operations, and says what it cannot tell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.simulation.campaign import worlds
from tests.unit.simulation.campaign.worlds import PLACES, operation, scenario

from atoll.errors import InvalidConfiguration
from atoll.ids import RegionName
from atoll.simulation.campaign.measures import Topic
from atoll.simulation.campaign.prediction import limits_of, predict
from atoll.simulation.campaign.situations import calm, middle_third, situations
from atoll.simulation.plan import FaultKind
from atoll.simulation.scenario.scenario import Scenario, Swarm

REGIONS = [RegionName(place) for place in PLACES]


def quiet_scenario() -> Scenario:
    """Operations outright, so that the plan is known."""
    return replace(scenario(), traffic=(), operations=[operation(number) for number in range(60)])


def test_every_region_is_lost_and_cut_off_and_every_pair_is_cut() -> None:
    names = [each.name for each in situations(REGIONS, 60)]
    assert [name for name in names if name.endswith("is lost")] == [f"{place} is lost" for place in PLACES]
    assert [name for name in names if name.endswith("is cut off")] == [f"{place} is cut off" for place in PLACES]
    assert "frankfurt | tokyo is cut" in names
    assert len(names) == 9


def test_region_is_cut_off_in_both_directions_from_all_others() -> None:
    (isolation,) = [each for each in situations(REGIONS, 60) if each.name == "tokyo is cut off"]
    (fault,) = isolation.faults
    assert fault.kind is FaultKind.CUT
    assert set(fault.targets) == {"tokyo>frankfurt", "frankfurt>tokyo", "tokyo>dallas", "dallas>tokyo"}
    assert (fault.at_seconds, fault.at_seconds + fault.duration_seconds) == middle_third(60)


def test_pair_of_two_regions_is_asked_for_once() -> None:
    names = [each.name for each in situations(REGIONS[:2], 60)]
    assert names == ["frankfurt is lost", "tokyo is lost", "frankfurt | tokyo is cut"]


def test_lonely_region_can_only_be_lost() -> None:
    assert [each.name for each in situations(REGIONS[:1], 60)] == ["frankfurt is lost"]


def test_calm_scenario_has_nothing_go_wrong() -> None:
    stormy = replace(scenario(), faults=[worlds.fault(1)], swarm=Swarm(kinds=[FaultKind.CUT]))
    assert (calm(stormy).faults, calm(stormy).swarm, calm(stormy).stories) == ((), None, ())


def test_prediction_holds_each_situation_and_the_calm() -> None:
    told: list[tuple[int, int]] = []
    found = predict(
        quiet_scenario(),
        [1, 2],
        processes=1,
        run=worlds.run_without_the_lost,
        tell=lambda done, planned: told.append((done, planned)),
    )
    assert (found.runs, told[-1], found.failed) == (20, (20, 20), [])
    served = {
        (each.situation, each.what): e.mean
        for each, e in found.estimates.items()
        if each.topic is Topic.WRITES_SERVED
    }
    assert served["", "tokyo"] == 1
    assert served["tokyo is lost", "tokyo"] == 0
    assert served["tokyo is lost", "dallas"] == 1
    assert all(len(each.values) == 2 for each in found.estimates.values())
    assert any(each.topic is Topic.WRITE_LATENCY for each in found.estimates)


def test_runs_of_broken_promises_are_named_and_no_part_of_the_figures() -> None:
    found = predict(quiet_scenario(), [2, 3], processes=1, run=worlds.run_badly_each_third)
    assert len(found.failed) == 10
    assert found.failed[0] == "seed 3: violated: sets"
    assert all(len(each.values) == 1 for each in found.estimates.values())


def test_ring_without_traffic_is_refused() -> None:
    with pytest.raises(InvalidConfiguration, match="has no traffic"):
        predict(replace(scenario(), traffic=()), [1], processes=1, run=worlds.run_well)


def test_limits_name_the_table_the_disk_and_what_cannot_be_told() -> None:
    text = " ".join(limits_of(scenario(), 5))
    for part in (
        "latency-ibm-cloud-2024-09.csv",
        "0.3 to 2 ms",
        "cannot be predicted",
        "5 seeds of 60 s",
        "not measured",
    ):
        assert part in text
