"""A run's measures are taken from what its clients saw and what its samples show."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.simulation.campaign.worlds import plan, result, scenario

from atoll.ids import RegionName
from atoll.simulation.campaign.measures import Measure, Topic, estimates, measured, served
from atoll.simulation.history import Status
from atoll.simulation.plan import Action
from atoll.simulation.result import ConflictCount, RunResult, Sample

FRANKFURT, TOKYO = RegionName("frankfurt"), RegionName("tokyo")


def run() -> RunResult:
    return result(scenario(), 1, plan(30, 0))


def test_latency_is_by_region_and_class_in_milliseconds() -> None:
    found = measured(run())
    assert found[Measure(Topic.WRITE_LATENCY, "frankfurt", "p99")] == pytest.approx(50)
    assert not [each for each in found if each.topic is Topic.READ_LATENCY], "nobody read"


def test_staleness_is_between_different_regions_only() -> None:
    ages = {(TOKYO, FRANKFURT): 0.25, (TOKYO, TOKYO): 9.0}
    sample = Sample(at=1.0, behind={}, stale_seconds=ages, log_rows={})
    found = measured(replace(run(), samples=[sample]))
    assert {each.what: value for each, value in found.items() if each.topic is Topic.STALENESS} == {
        "tokyo from frankfurt": 250.0
    }


def test_conflicts_are_rated_by_the_writes_of_their_field() -> None:
    found = measured(replace(run(), conflicts={"cities.tags": ConflictCount(met=6, discarded=3)}))
    assert found[Measure(Topic.CONFLICTS, "cities.tags")] == pytest.approx(200)
    assert found[Measure(Topic.DISCARDED, "cities.tags")] == pytest.approx(100)


def test_what_was_served_is_counted_in_a_span_of_time_alone() -> None:
    original = run()
    history = [
        replace(entry, status=Status.FAILED if 10 <= entry.began < 20 and number % 2 else Status.OK)
        for number, entry in enumerate(original.history)
    ]
    found = served(replace(original, history=history), 10, 20, "dallas is lost")
    assert set(found.values()) != {1.0}
    assert all(each.situation == "dallas is lost" for each in found)
    assert set(served(replace(original, history=history), 20, 30, "").values()) == {1.0}


def test_reads_and_writes_are_served_apart() -> None:
    original = run()
    history = [
        replace(entry, planned=replace(entry.planned, action=Action.READ), status=Status.FAILED)
        if entry.planned.region == TOKYO
        else entry
        for entry in original.history
    ]
    found = served(replace(original, history=history), 0, 60, "")
    assert found[Measure(Topic.READS_SERVED, "tokyo")] == 0
    assert found[Measure(Topic.WRITES_SERVED, "frankfurt")] == 1
    assert Measure(Topic.WRITES_SERVED, "tokyo") not in found, "nobody wrote there"


def test_ring_that_does_not_converge_has_no_time_for_it() -> None:
    assert Measure(Topic.CONVERGENCE, "the whole ring") in measured(run())
    assert not [each for each in measured(replace(run(), converged_seconds=None)) if each.topic is Topic.CONVERGENCE]


def test_estimate_spreads_over_the_runs_that_have_the_measure() -> None:
    here, there = Measure(Topic.STALENESS, "a from b"), Measure(Topic.STALENESS, "b from a")
    found = estimates([{here: 1.0}, {here: 3.0, there: 5.0}])
    assert (found[here].mean, found[here].low, found[here].high) == (2.0, 1.0, 3.0)
    assert found[there].values == (5.0,)


def test_measure_says_what_it_is() -> None:
    measure = Measure(Topic.STALENESS, "tokyo from frankfurt", "p99", "dallas is lost")
    assert str(measure) == "staleness · tokyo from frankfurt · p99 · dallas is lost"
