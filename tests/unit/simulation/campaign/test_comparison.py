"""A comparison tells regular differences from chance, and which side is better for whom."""

from __future__ import annotations

import pytest
from tests.unit.simulation.campaign import worlds
from tests.unit.simulation.campaign.worlds import scenario

from atoll.simulation.campaign.comparison import compare, rows
from atoll.simulation.campaign.measures import Measure, Topic
from atoll.simulation.verdict import Verdict

LATENCY = Measure(Topic.WRITE_LATENCY, "frankfurt", "p50")
SERVED = Measure(Topic.WRITES_SERVED, "frankfurt")


def test_regular_difference_is_clear_though_seeds_differ_more_from_each_other() -> None:
    (row,) = rows([{LATENCY: v} for v in (1.0, 50.0, 90.0)], [{LATENCY: v} for v in (6.0, 55.1, 94.9)])
    assert row.difference == pytest.approx(5.0)
    assert row.clear
    assert row.better == "a"


def test_difference_within_the_spread_over_seeds_is_not_clear() -> None:
    (row,) = rows([{LATENCY: v} for v in (1.0, 2.0, 3.0)], [{LATENCY: v} for v in (3.0, 1.0, 3.0)])
    assert not row.clear
    assert row.better == ""


def test_one_seed_makes_nothing_clear() -> None:
    (row,) = rows([{LATENCY: 1.0}], [{LATENCY: 100.0}])
    assert (row.difference, row.spread, row.clear) == (99.0, None, False)


def test_rounding_is_never_clear_however_regular() -> None:
    (row,) = rows([{LATENCY: 1.0}] * 3, [{LATENCY: 1.0001}] * 3)
    assert not row.clear


def test_more_is_better_of_what_is_served() -> None:
    (row,) = rows([{SERVED: 0.5}] * 3, [{SERVED: 1.0}] * 3)
    assert row.better == "b"


def test_measure_of_one_side_alone_has_no_difference() -> None:
    (row,) = rows([{LATENCY: 1.0}, {LATENCY: 3.0}], [{}, {}])
    assert (row.a, row.b, row.difference, row.better) == (2.0, None, None, "")


def test_only_seeds_that_both_sides_have_are_subtracted() -> None:
    (row,) = rows([{LATENCY: 1.0}, {LATENCY: 100.0}], [{LATENCY: 2.0}, {}])
    assert row.difference == 1.0


def test_rows_stand_by_topic() -> None:
    found = rows([{SERVED: 1.0, LATENCY: 1.0}], [{}])
    assert [row.measure for row in found] == [LATENCY, SERVED]


def test_both_sides_run_on_the_same_seeds_and_their_verdicts_are_counted() -> None:
    told: list[tuple[int, int]] = []
    found = compare(
        scenario("one"),
        scenario("two"),
        [1, 2, 3],
        processes=1,
        run=worlds.run_badly_each_third,
        tell=lambda done, planned: told.append((done, planned)),
    )
    assert (found.a, found.b, told[-1]) == ("one", "two", (6, 6))
    assert found.verdicts["a"] == found.verdicts["b"] == {Verdict.VALID: 2, Verdict.UNKNOWN: 0, Verdict.VIOLATED: 1}
    assert found.rows
    assert not any(row.clear for row in found.rows)


def test_run_that_does_not_end_is_named_and_left_out() -> None:
    found = compare(scenario("one"), scenario("two"), [1, 2, 3], processes=1, run=worlds.run_and_raise_on_two)
    assert [text.partition(": ")[0] for text in found.failed] == ["one, seed 2", "two, seed 2"]
    assert found.verdicts["a"][Verdict.UNKNOWN] == 1
    assert found.rows
