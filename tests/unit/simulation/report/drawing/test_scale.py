"""Scales put values where they belong, and marks where people look for them."""

from __future__ import annotations

import pytest

from atoll.simulation.report.drawing.scale import (
    BrokenScale,
    LogScale,
    Scale,
    decade_below,
    decades,
    nice_above,
    ticks,
)


@pytest.mark.parametrize(
    ("value", "place"), [(0.0, 100.0), (5.0, 150.0), (10.0, 200.0), (-3.0, 100.0), (99.0, 200.0)]
)
def test_linear_scale_keeps_what_is_outside_at_the_edge(value: float, place: float) -> None:
    assert Scale(low=0.0, high=10.0, start=100.0, end=200.0)(value) == place


def test_logarithmic_scale_gives_every_decade_the_same_room_and_takes_zero() -> None:
    scale = LogScale(low=0.01, high=100.0, start=40.0, end=0.0)
    assert [round(scale(value), 6) for value in (0.0, 0.01, 0.1, 1.0, 10.0, 100.0)] == [40, 40, 30, 20, 10, 0]


def test_broken_scale_gives_a_break_its_width_and_shares_the_rest_by_time() -> None:
    scale = BrokenScale(low=0.0, high=100.0, start=0.0, end=250.0, breaks=[(10.0, 80.0)], break_width=50.0)
    places = [scale(value) for value in (0.0, 10.0, 45.0, 80.0, 100.0)]
    assert places == pytest.approx([0.0, 66.6667, 91.6667, 116.6667, 250.0], abs=1e-3)


def test_broken_scale_marks_nothing_within_a_break() -> None:
    scale = BrokenScale(low=0.0, high=100.0, start=0.0, end=800.0, breaks=[(10.0, 80.0)])
    assert scale.marks()
    assert not [mark for mark in scale.marks() if 10.0 < mark < 80.0]


def test_scale_without_breaks_is_linear() -> None:
    assert BrokenScale(low=0.0, high=4.0, start=0.0, end=8.0)(1.0) == 2.0


@pytest.mark.parametrize(
    ("low", "high", "most", "found"),
    [
        (0.0, 120.0, 12, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110]),
        (61.34, 61.8, 5, [61.4, 61.5, 61.6, 61.7, 61.8]),
        (0.0, 1.0, 1, [0.0]),
    ],
)
def test_ticks_are_round_and_never_too_many(low: float, high: float, most: int, found: list[float]) -> None:
    assert ticks(low, high, most) == pytest.approx(found)


def test_decades_run_from_the_lowest_to_what_still_fits() -> None:
    assert decades(0.01, 50.0) == pytest.approx([0.01, 0.1, 1.0, 10.0])
    assert decade_below(0.05) == pytest.approx(0.01)


@pytest.mark.parametrize(("value", "above"), [(0.0, 1.0), (1.0, 1.0), (11.0, 20.0), (360.0, 500.0), (731.0, 1000.0)])
def test_nice_value_is_not_below(value: float, above: float) -> None:
    assert nice_above(value) == above
