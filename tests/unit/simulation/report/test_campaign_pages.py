"""The pages of sweeps, comparisons and predictions as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.unit.simulation.report.campaigns import (
    LONG,
    bad_sweep,
    calm_sweep,
    comparison,
    outcome,
    prediction,
    sweep_of,
)
from tests.unit.simulation.report.test_page import Outline, text_of

from atoll.simulation.campaign.seeds import Job
from atoll.simulation.report.comparison_page import render_comparison_page
from atoll.simulation.report.prediction_page import render_prediction_page
from atoll.simulation.report.sweep_page import SQUARES_MAX, render_sweep_page


def replay(job: Job) -> str:
    return f"atoll simulate replay {job.scenario.name}:{job.seed}"


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(lambda: render_sweep_page(bad_sweep(), replay), id="a bad sweep"),
        pytest.param(lambda: render_sweep_page(calm_sweep(), replay), id="a calm sweep"),
        pytest.param(lambda: render_sweep_page(sweep_of([]), replay), id="an empty sweep"),
        pytest.param(lambda: render_comparison_page(comparison()), id="a comparison"),
        pytest.param(lambda: render_comparison_page(replace(comparison(), rows=())), id="a comparison of nothing"),
        pytest.param(lambda: render_prediction_page(prediction()), id="a prediction"),
        pytest.param(
            lambda: render_prediction_page(replace(prediction(), estimates={})), id="a prediction of nothing"
        ),
    ],
)
def test_page_is_well_formed_and_needs_nothing_else(page: Callable[[], str]) -> None:
    written = page()
    outline = Outline(written)
    assert outline.open == []
    assert len(outline.identifiers) == len(set(outline.identifiers))
    assert all(address.startswith(("#", "data:")) for address in outline.addresses)
    assert page() == written


def test_sweep_tells_each_class_of_failure_with_its_first_run() -> None:
    said = text_of(render_sweep_page(bad_sweep(), replay))
    assert "in 2 runs, 500 of a thousand" in said
    assert f"First: {LONG}, seed 2" in said
    assert f"atoll simulate replay {LONG}:2" in said
    assert "A promise was broken in 2 of 4 runs of 9 (interrupted). 1 could not be repeated" in said
    assert "They part at event 7." in said
    assert f"{LONG}, seed 4: it took too long" in said


def test_sweep_says_what_makes_it_worth_less() -> None:
    said = text_of(render_sweep_page(calm_sweep(), replay))
    assert "nothing was ever concurrent" in said
    said = text_of(render_sweep_page(bad_sweep(), replay))
    assert "counters never checked anything: no counter was read at the end" in said
    assert "Done and never bit: clock." in said


def test_sweep_counts_verdicts_by_scenario() -> None:
    said = text_of(render_sweep_page(bad_sweep(), replay))
    assert "cable-cut A cable is cut 2 0 1 1 0" in said


def test_large_sweep_stays_small() -> None:
    one = outcome(1)
    page = render_sweep_page(sweep_of([one] * (SQUARES_MAX + 10)), replay)
    assert "and 10 more." in text_of(page)
    assert len(page) < 1_500_000


def test_comparison_says_row_by_row_which_side_is_better() -> None:
    said = text_of(render_comparison_page(comparison()))
    assert "frankfurt · p50 4.5 ms 9.5 ms" in said
    assert "+5 ms within 0 &#9660; B is worse" in said
    assert "+10 points" in said
    assert "B is better in" in said
    assert f"{LONG}.status, per 1,000 writes" in said
    assert "tokyo from frankfurt · p50 100 ms 100 ms" in said


def test_zero_on_both_sides_is_left_out() -> None:
    said = text_of(render_comparison_page(comparison()))
    assert "frankfurt is cut off" not in said
    assert "read latency" not in said


def test_comparison_with_one_seed_is_never_clear() -> None:
    rows = [replace(row, spread=None) for row in comparison().rows]
    page = render_comparison_page(replace(comparison(), rows=rows))
    said = text_of(page)
    assert "unknown: one seed" in said
    assert "One seed cannot tell" in said
    assert "banner tone-unknown" in page
    assert "by more than chance." not in said
    assert "B is worse" not in said


def test_prediction_shows_its_limits_first_and_availability_under_each_loss() -> None:
    said = text_of(render_prediction_page(prediction()))
    assert said.index("Computing takes no time here.") < said.index("write latency")
    assert "Left out: seed 2, tokyo is lost: it took too long" in said
    assert "tokyo is lost 50.0 %" in said
    assert "frankfurt is cut off 0 %" in said
    assert "frankfurt 4 ms 12 ms 9 ms - 15 ms" in said
    assert f"{LONG}.status 40 12" in said
