"""The scenarios that come along: all can be read and planned, and together they cover what there is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from atoll.errors import InvalidConfiguration
from atoll.simulation.plan import FaultKind
from atoll.simulation.scenario.library import all_scenarios, find, folder
from atoll.simulation.scenario.planning import make_plan
from atoll.simulation.scenario.reading import load_scenario
from atoll.simulation.scenario.scenario import Group, Scenario
from atoll.simulation.scenario.writing import write_plan
from atoll.simulation.workloads.registry import WORKLOADS

SCENARIOS = [load_scenario(file) for file in all_scenarios()]
by_name = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@by_name
def test_every_scenario_makes_a_plan_of_every_seed(scenario: Scenario) -> None:
    plans = [make_plan(scenario, seed) for seed in range(3)]
    assert all(plan.operations for plan in plans)
    assert len({repr(plan) for plan in plans}) == 3


@by_name
def test_every_scenario_tells_a_story_under_a_title(scenario: Scenario) -> None:
    assert scenario.title != scenario.name.replace("-", " ")
    assert 100 < len(scenario.story) < 500
    assert scenario.seconds <= 30 or scenario.group is not Group.FAST
    assert sum(traffic.operations_per_second for traffic in scenario.traffic) <= 55


@by_name
def test_every_scenario_is_in_the_gallery_with_its_group(scenario: Scenario) -> None:
    gallery = (folder() / "README.md").read_text()
    (row,) = [line for line in gallery.splitlines() if f"[{scenario.name}]({scenario.name}.toml)" in line]
    assert f"| {scenario.group} |" in row


def test_gallery_names_no_scenario_that_is_gone() -> None:
    rows = [line for line in (folder() / "README.md").read_text().splitlines() if ".toml) |" in line]
    assert len(rows) == len(SCENARIOS)


def test_every_workload_is_in_several_scenarios() -> None:
    uses = Counter(workload for scenario in SCENARIOS for workload in {each.workload for each in scenario.traffic})
    assert set(uses) == set(WORKLOADS)
    assert min(uses.values()) >= 3


def test_every_kind_of_fault_occurs_outside_of_the_swarms() -> None:
    told = [scenario for scenario in SCENARIOS if scenario.swarm is None]
    kinds = {fault.kind for scenario in told for fault in make_plan(scenario, 1).faults}
    assert set(FaultKind) - kinds == set()


def test_every_plan_of_the_library_can_be_written_down() -> None:
    for scenario in SCENARIOS:
        assert "[[operation]]" in write_plan(scenario, make_plan(scenario, 1), 1)


def test_scenario_is_found_by_its_name_and_by_its_path(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("")
    assert find("calm-sea") == folder() / "calm-sea.toml"
    assert find(str(mine)) == mine


def test_unknown_scenario_is_answered_with_the_likeliest_one() -> None:
    with pytest.raises(InvalidConfiguration, match="no scenario 'calm-see': did you mean 'calm-sea'"):
        find("calm-see")
    with pytest.raises(InvalidConfiguration, match="no such file"):
        find("nowhere/mine.toml")
    with pytest.raises(InvalidConfiguration, match=r"no scenario '\.\./simulations/calm-sea'"):
        find("../simulations/calm-sea")
