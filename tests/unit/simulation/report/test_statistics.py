"""Quantiles are values that were measured; an unknown outcome did not go well."""

from __future__ import annotations

import pytest
from tests.unit.simulation.report.results import entry

from atoll.simulation.history import Status
from atoll.simulation.report.statistics import Spread, Tally, quantile, spread, tally


@pytest.mark.parametrize(
    ("share", "found"), [(0.0, 1.0), (0.5, 2.0), (0.51, 3.0), (0.75, 3.0), (0.99, 4.0), (1.0, 4.0)]
)
def test_quantile_is_the_nearest_rank(share: float, found: float) -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], share) == found


def test_spread_of_hundred_values_leaves_the_worst_out_of_its_p99() -> None:
    assert spread(range(100, 0, -1)) == Spread(count=100, p50=50, p99=99, max=100)


def test_spread_of_nothing_is_none() -> None:
    assert spread([]) is None


def test_tally_counts_unknown_as_not_ok() -> None:
    statuses = [Status.OK, Status.OK, Status.FAILED, Status.UNKNOWN]
    found = tally(entry(index, status=status) for index, status in enumerate(statuses))
    assert found == Tally(ok=2, failed=1, unknown=1)
    assert found.share == 0.5


def test_share_of_nothing_asked_is_none_rather_than_perfect() -> None:
    assert Tally().share is None
