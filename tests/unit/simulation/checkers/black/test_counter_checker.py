"""Planted violations on counters, and what comes close without being one."""

from __future__ import annotations

import pytest
from tests.unit.simulation.checkers.black.telling import VISITS, Telling

from atoll.simulation.checkers.black.counter_reads import holds, reachable
from atoll.simulation.limits import REACHABLE_RANGES_MAX
from atoll.simulation.verdict import Verdict

A, B = "frankfurt/c1", "tokyo/c1"


def counted(*amounts: int, unknown: tuple[int, ...] = ()) -> Telling:
    told = Telling()
    for amount in amounts:
        told.increment(A, amount)
    for number, amount in enumerate(unknown):
        told.increment(f"tokyo/u{number}", amount, unknown=True)
    return told


@pytest.mark.parametrize("total", [7, 1007, 7 - 50, 957])
def test_unknown_increments_count_or_not(total: int) -> None:
    told = counted(3, 4, unknown=(1000, -50))
    told.last(VISITS, total)
    assert not told.anomalies()


@pytest.mark.parametrize("total", [None, 3, 4, 10, 11, 2007, 907])
def test_sum_that_no_subset_explains_is_wrong(total: int | None) -> None:
    told = counted(3, 4, unknown=(1000, -50))
    told.last(VISITS, total)
    assert told.anomalies() == {"counters: wrong sum"}


def test_increment_counted_twice_is_named() -> None:
    told = counted(3, 40)
    told.last(VISITS, 83)
    finding = told.findings()[0]
    assert finding.anomaly == "wrong sum"
    assert 1 in finding.entries
    assert "+40 too much" in finding.sentence


def test_refused_increment_that_counts_is_found() -> None:
    told = counted(3)
    told.increment(A, 40, error="overloaded")
    told.last(VISITS, 43)
    assert told.anomalies() == {"counters: wrong sum"}


def test_absent_counter_is_zero() -> None:
    told = counted()
    told.increment(A, 5, error="overloaded")
    told.visits(A, None)
    told.last(VISITS, None)
    assert not told.anomalies()


def test_reads_between_the_bounds_are_valid_and_open_ones_counted() -> None:
    told = counted(3)
    told.increment(B, -10)
    told.visits(A, 3)
    told.visits(A, -7)
    assert not told.anomalies()
    assert told.judge()["counters"].legal["reads that may lack increments"] == 2


def test_read_that_misses_an_own_increment_is_found() -> None:
    told = counted(3, 4)
    told.visits(A, 3)
    assert told.anomalies() == {"counters: increment missing"}


def test_read_above_all_that_had_begun_is_found() -> None:
    told = counted(3, 4)
    told.visits(B, 8)
    told.increment(B, 100)
    assert told.anomalies() == {"counters: counted too much"}


def test_increment_in_progress_may_count_already() -> None:
    told = Telling()
    told.increment(A, 5, at=0.0, until=2.0)
    told.visits(B, 5, at=1.0)
    assert not told.anomalies()


def test_counter_that_only_grows_may_not_be_read_smaller_by_a_session() -> None:
    told = counted()
    told.increment("frankfurt/c2", 5)
    told.visits(B, 5)
    told.visits(B, None)
    assert told.anomalies() == {"counters: counter went back", "sessions: monotonic reads"}


def test_counter_with_decrements_may_be_read_smaller() -> None:
    told = Telling()
    told.increment("frankfurt/c2", 5)
    told.visits(B, 5)
    told.increment("frankfurt/c2", -3)
    told.visits(B, 2)
    assert not told.anomalies()


def test_reset_takes_back_what_its_session_knew() -> None:
    told = counted(3, 4)
    told.reset(A)
    told.last(VISITS, 7)
    assert told.anomalies() == {"counters: wrong sum"}


@pytest.mark.parametrize(("total", "valid"), [(0, True), (100, True), (7, False), (107, False)])
def test_increment_concurrent_with_a_reset_may_go_either_way(total: int, valid: bool) -> None:
    told = counted(3, 4)
    told.reset(A, at=1.0, until=1.5)
    told.increment(B, 100, at=1.1, until=1.2)
    told.last(VISITS, total)
    assert (not told.anomalies()) is valid


def test_increment_after_every_reset_counts() -> None:
    told = counted(3)
    told.reset(A)
    told.increment(B, 100)
    told.last(VISITS, 0)
    assert told.anomalies() == {"counters: wrong sum"}


@pytest.mark.parametrize("total", [0, 3])
def test_reset_of_unknown_outcome_may_take_back_or_not(total: int) -> None:
    told = counted(3)
    told.reset(A, unknown=True)
    told.last(VISITS, total)
    assert not told.anomalies()


def test_deleted_record_takes_its_counter_back() -> None:
    told = counted(3)
    told.delete(A)
    told.last(VISITS, 3)
    assert "counters: wrong sum" in told.anomalies()


def test_value_that_is_no_integer_is_found() -> None:
    told = counted(3)
    told.visits(A, "three")
    assert "counters: value from nowhere" in told.anomalies()


def test_too_many_unknown_increments_never_make_a_false_alarm() -> None:
    amounts = [7**number for number in range(16)]
    ranges = reachable(5, amounts)
    assert len(ranges) <= REACHABLE_RANGES_MAX
    assert holds(ranges, 5)
    assert holds(ranges, 5 + sum(amounts))
    assert holds(ranges, 5 + sum(amounts[::2]))
    assert not holds(ranges, 4)
    assert not holds(ranges, 6 + sum(amounts))


def test_few_unknown_increments_are_told_apart_exactly() -> None:
    assert [low for low, high in reachable(0, [10, 100, -1000]) if low == high] == sorted(
        a + b + c for a in (0, 10) for b in (0, 100) for c in (0, -1000)
    )


def test_counter_without_reads_is_unknown() -> None:
    assert counted(3).judge()["counters"].verdict is Verdict.UNKNOWN
