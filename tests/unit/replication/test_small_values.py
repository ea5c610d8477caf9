"""Backoff, window and lag: small values with one rule each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.limits import BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN, LINK_BATCH_OVERHEAD_BYTES
from atoll.replication.backoff import Backoff
from atoll.replication.lag import LagWindow
from atoll.replication.window import Window


def test_backoff_ceiling_doubles_up_to_the_cap_and_begins_anew_after_a_success() -> None:
    backoff = Backoff()
    ceilings = []
    for _ in range(12):
        ceilings.append(backoff.ceiling_seconds)
        backoff = backoff.failed()
    assert ceilings[:3] == [BACKOFF_SECONDS_MIN, 2 * BACKOFF_SECONDS_MIN, 4 * BACKOFF_SECONDS_MIN]
    assert ceilings == sorted(ceilings)
    assert ceilings[-1] == BACKOFF_SECONDS_MAX
    assert backoff.succeeded().ceiling_seconds == BACKOFF_SECONDS_MIN


def test_backoff_survives_any_number_of_failures() -> None:
    assert Backoff(failures=10_000).ceiling_seconds == BACKOFF_SECONDS_MAX


def test_window_has_room_until_the_bound_is_reached_and_again_after_acknowledgements() -> None:
    window = Window(bound_bytes=3 * LINK_BATCH_OVERHEAD_BYTES)
    for number in (1, 2, 3):
        assert window.has_room
        window.sent(number, 0)
    assert not window.has_room
    window.acknowledged(1)
    assert window.has_room
    assert window.in_flight_batches == 2


def test_window_takes_a_batch_larger_than_itself_and_no_second_one() -> None:
    window = Window(bound_bytes=10)
    window.sent(1, 1_000_000)
    assert not window.has_room
    window.acknowledged(1)
    assert window.has_room
    assert window.in_flight_bytes == 0


@given(st.lists(st.one_of(st.integers(0, 5_000), st.none()), max_size=60), st.data())
def test_window_accounts_for_exactly_the_batches_that_are_not_acknowledged(
    steps: list[int | None], data: st.DataObject
) -> None:
    """A number: send a batch of that size; nothing: acknowledge some batch that was sent, perhaps an old one."""
    window, sizes, confirmed = Window(1_000), list[int](), 0
    for size in steps:
        if size is None:
            number = data.draw(st.integers(0, len(sizes)))
            window.acknowledged(number)
            confirmed = max(confirmed, number)
        else:
            sizes.append(size)
            window.sent(len(sizes), size)
        assert window.in_flight_batches == len(sizes) - confirmed
        assert window.in_flight_bytes == sum(each + LINK_BATCH_OVERHEAD_BYTES for each in sizes[confirmed:])


def test_lag_quantiles_are_of_the_last_samples_only() -> None:
    lag = LagWindow(capacity=100)
    for second in range(1_000):
        lag.add(float(second))
    assert lag.quantile(0.5) == 949.0
    assert lag.quantile(0.99) == 998.0
    assert lag.quantile(1.0) == 999.0


def test_lag_of_nothing_is_zero() -> None:
    assert LagWindow().quantile(0.99) == 0.0


@pytest.mark.parametrize("fraction", [0.5, 0.99, 1.0])
def test_lag_of_one_sample_is_that_sample(fraction: float) -> None:
    lag = LagWindow()
    lag.add(0.25)
    assert lag.quantile(fraction) == 0.25
