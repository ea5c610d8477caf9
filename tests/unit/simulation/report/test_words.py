"""Figures in words never hide a failure by rounding, and need no more than ASCII."""

from __future__ import annotations

import pytest

from atoll.simulation.report.statistics import Spread
from atoll.simulation.report.words import between, counted, duration, listed, percent, plural, size, two_durations


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (1.0, "100 %"),
        (0.999_999, "99.9 %"),
        (0.938, "93.8 %"),
        (0.000_001, "0.1 %"),
        (0.0, "0 %"),
        (None, "-"),
    ],
)
def test_share_is_never_rounded_to_all_or_nothing(share: float | None, said: str) -> None:
    assert percent(share) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (0, "0"),
        (0.0004, "0.4 ms"),
        (0.0713, "71 ms"),
        (0.9994, "999 ms"),
        (0.9999, "1 s"),
        (3.4, "3.4 s"),
        (29.5, "29.5 s"),
        (599.0, "599 s"),
        (720.0, "12 min"),
    ],
)
def test_duration_has_the_unit_that_fits(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_spread_is_said_as_median_and_tail() -> None:
    assert two_durations(Spread(count=9, p50=0.071, p99=31.0, max=60.0)) == "71 ms / 31 s"
    assert two_durations(None) == "-"


def test_counts_are_said_in_their_order_and_cut_short() -> None:
    assert counted({"session_not_covered": 1_200, "b": 2, "c": 3, "d": 4, "e": 5}) == (
        "session not covered 1,200, b 2, c 3, d 4, 1 other kind"
    )
    assert listed("abcdefgh", most=3) == "a, b and 6 more"
    assert (plural(1, "fault"), plural(2, "batch", "batches")) == ("1 fault", "2 batches")
    assert (size(999), size(19_400_113)) == ("999 B", "19.4 MB")
    assert between(30.0, 94.25) == "30 - 94.2 s"
