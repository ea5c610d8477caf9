"""Staleness from the samples, and, without them, from what reads lacked."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.simulation.report.results import cut, entry

from atoll.ids import RegionName
from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action
from atoll.simulation.report.figures import staleness_phases
from atoll.simulation.report.incidents import incidents
from atoll.simulation.report.staleness import sampled_staleness, seen_staleness
from atoll.simulation.report.statistics import Spread
from atoll.simulation.result import Sample

FRANKFURT, TOKYO = RegionName("frankfurt"), RegionName("tokyo")


def sample(at: float, seconds: float) -> Sample:
    return Sample(at=at, behind={}, stale_seconds={(TOKYO, FRANKFURT): seconds}, log_rows={})


def added(index: int, element: str, ended: float, region: str = "frankfurt", **more: Any) -> Entry:
    return entry(index, region, Action.ADD, ended - 0.01, ended, argument=element, **more)


def read(index: int, began: float, *elements: str, region: str = "tokyo") -> Entry:
    return entry(index, region, Action.READ, began, value=tuple(sorted(elements)), exists=bool(elements))


def test_samples_are_spread_by_reader_and_origin() -> None:
    found = sampled_staleness(sample(at, at / 10) for at in range(10))
    assert found == {TOKYO: {FRANKFURT: Spread(count=10, p50=0.4, p99=0.9, max=0.9)}}


def test_samples_fall_into_the_phases_of_the_run() -> None:
    found = staleness_phases([sample(at, at) for at in (1.0, 5.0, 6.0, 9.0)], incidents([cut(5.0, 3.0, "a>b")]))
    parts = (found.before, found.during, found.after)
    assert [part[TOKYO][FRANKFURT].max for part in parts] == [1.0, 6.0, 9.0]
    assert [part[TOKYO][FRANKFURT].count for part in parts] == [1, 2, 1]


def test_read_that_lacks_an_acknowledged_addition_is_as_stale_as_the_oldest_of_them() -> None:
    history = [added(0, "a", 1.0), added(1, "b", 2.0), added(2, "c", 3.0), read(3, 5.0, "a")]
    found = seen_staleness(history)
    assert found[TOKYO][FRANKFURT] == Spread(count=1, p50=3.0, p99=3.0, max=3.0)


def test_read_that_has_everything_is_fresh() -> None:
    history = [added(0, "a", 1.0), read(1, 5.0, "a")]
    assert seen_staleness(history)[TOKYO][FRANKFURT].max == 0.0


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([added(0, "a", 6.0), read(1, 5.0)], id="was acknowledged later"),
        pytest.param([added(0, "a", 1.0, status=Status.UNKNOWN), read(1, 5.0)], id="is of unknown outcome"),
        pytest.param([added(0, "a", 1.0, region="tokyo"), read(1, 5.0)], id="is the reader's own region's"),
        pytest.param([added(0, "a", 1.0, key="other"), read(1, 5.0)], id="is of another record"),
        pytest.param([added(0, "a", 1.0), entry(1, action=Action.REMOVE), read(2, 5.0)], id="was perhaps removed"),
    ],
)
def test_addition_does_not_make_a_read_stale_if_it(history: list[Entry]) -> None:
    assert seen_staleness(history) == {}
