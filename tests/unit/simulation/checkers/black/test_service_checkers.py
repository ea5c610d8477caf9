"""Planted refusals of healthy regions, undocumented errors and hanging operations, and what comes close."""

from __future__ import annotations

import pytest
from tests.unit.simulation.checkers.black.telling import Telling

from atoll.simulation.limits import RECOVERY_SECONDS
from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.verdict import Verdict

A, B = "frankfurt/c1", "tokyo/c1"


def fault(kind: FaultKind, *targets: str, at: float = 0.0, seconds: float = 50.0, **parameters: float) -> Fault:
    return Fault(at_seconds=at, duration_seconds=seconds, kind=kind, targets=targets, parameters=parameters)


# -- availability -------------------------------------------------------------------------------------------------


def refused(*faults: Fault, error: str = "unavailable", **how: object) -> Telling:
    told = Telling(*faults, healthy=True)
    told.add(A, "x", error=error, **how)  # type: ignore[arg-type]
    return told


REFUSED = {"availability: healthy region refused"}


def test_healthy_region_that_refuses_is_named() -> None:
    assert refused().anomalies() == REFUSED


@pytest.mark.parametrize("kind", [FaultKind.CUT, FaultKind.DEGRADE])
def test_links_to_others_are_no_excuse(kind: FaultKind) -> None:
    assert refused(fault(kind, "frankfurt>tokyo", "tokyo>frankfurt")).anomalies() == REFUSED


def test_machines_of_others_are_no_excuse() -> None:
    faults = [fault(FaultKind.LOSE_REGION, "tokyo"), fault(FaultKind.CRASH_SHARD, "virginia/s1")]
    assert refused(*faults).anomalies() == REFUSED


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (FaultKind.CRASH_NODE, "frankfurt/n1"),
        (FaultKind.PAUSE_NODE, "frankfurt/n1"),
        (FaultKind.CLOCK, "frankfurt/n1"),
        (FaultKind.STALL_SHARD, "frankfurt/s1"),
        (FaultKind.FULL_SHARD, "frankfurt/s1"),
        (FaultKind.LOSE_REGION, "frankfurt"),
    ],
)
def test_own_machines_are_an_excuse(kind: FaultKind, target: str) -> None:
    assert not refused(fault(kind, target)).anomalies()


def test_excuse_lasts_for_the_recovery_and_no_longer() -> None:
    crash = fault(FaultKind.CRASH_NODE, "frankfurt/n1", at=1.0, seconds=2.0)
    assert not refused(crash, at=3.0 + RECOVERY_SECONDS - 0.1).anomalies()
    assert refused(crash, at=3.0 + RECOVERY_SECONDS + 0.1).anomalies() == REFUSED


def test_operation_that_ends_in_a_fault_is_excused() -> None:
    crash = fault(FaultKind.CRASH_NODE, "frankfurt/n1", at=2.0)
    assert not refused(crash, at=1.0, until=2.5).anomalies()


def test_clock_that_stays_wrong_excuses_for_ever() -> None:
    assert not refused(fault(FaultKind.CLOCK, "frankfurt/n1", seconds=1.0, keep=1.0), at=60.0).anomalies()


def test_region_that_does_not_hold_the_zone_may_refuse() -> None:
    told = Telling(healthy=True)
    told.add(B, "x", zone="eu", error="unavailable")
    assert not told.anomalies()


def test_local_session_may_not_be_told_that_it_is_not_covered() -> None:
    assert refused(error="session_not_covered").anomalies() == REFUSED


def test_session_that_was_elsewhere_may_be_told_that_it_is_not_covered() -> None:
    told = Telling(healthy=True)
    told.add(A, "x")
    told.tags(A, region="tokyo", error="session_not_covered")
    result = told.judge()["availability"]
    assert result.verdict is Verdict.VALID
    assert result.legal["sessions from elsewhere not covered"] == 1


def test_session_that_was_elsewhere_must_still_be_answered_somehow() -> None:
    told = Telling(healthy=True)
    told.add(A, "x")
    told.tags(A, region="tokyo", error="unavailable")
    assert told.anomalies() == REFUSED


def test_session_that_heard_from_elsewhere_may_be_told_that_it_is_not_covered() -> None:
    told = Telling(healthy=True)
    news = told.add(A, "x")
    told.tags(B, hears=news, error="session_not_covered")
    told.tags(B, error="session_not_covered")
    assert not told.anomalies()


def test_session_that_heard_from_its_own_region_may_not() -> None:
    told = Telling(healthy=True)
    news = told.add("tokyo/c2", "x")
    told.tags(B, hears=news, error="session_not_covered")
    assert told.anomalies() == REFUSED


def test_session_that_asked_for_a_zone_held_elsewhere_may_be_told_that_it_is_not_covered() -> None:
    told = Telling(healthy=True)
    told.add(B, "x", zone="eu")
    told.tags(B, error="session_not_covered")
    assert not told.anomalies()


def test_too_much_load_and_short_patience_are_no_findings() -> None:
    assert not refused(error="overloaded").anomalies()
    assert not refused(error="deadline_exceeded", timeout=0.2).anomalies()


def test_write_in_doubt_in_a_healthy_region_is_named() -> None:
    told = Telling(healthy=True)
    told.add(A, "x", unknown=True)
    assert told.anomalies() == REFUSED


# -- errors and deadlines -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", ["atoll_error", "invalid_value", "corrupt_frame", "nonsense", "clock_too_far_ahead"]
)
def test_error_that_nobody_promised_is_named(error: str) -> None:
    told = Telling()
    told.tags(A, error=error)
    assert told.anomalies() == {"typed errors: unexpected error"}


@pytest.mark.parametrize(
    "error",
    ["unavailable", "overloaded", "deadline_exceeded", "session_not_covered", "stale_route", "zone_not_hosted"],
)
def test_documented_errors_are_counted(error: str) -> None:
    told = Telling()
    told.tags(A, error=error)
    assert told.judge()["typed errors"].legal[error] == 1
    assert not told.anomalies()


def test_read_in_doubt_is_named() -> None:
    told = Telling()
    told.tags(A, error="outcome_unknown")
    assert told.anomalies() == {"typed errors: unexpected error"}


def test_clock_may_be_blamed_where_one_was_shifted() -> None:
    told = Telling(fault(FaultKind.CLOCK, "tokyo/n1"))
    told.add(A, "x", error="clock_too_far_ahead")
    assert not told.anomalies()


def test_operation_that_hangs_is_named() -> None:
    told = Telling()
    told.tags(A)
    told.tags(A, at=1.0, until=1.0 + 7.5, error="unavailable")
    assert told.anomalies() == {"deadlines: operation overdue"}


def test_operation_that_ends_a_moment_late_is_in_time() -> None:
    told = Telling()
    told.tags(A)
    told.tags(A, at=1.0, until=1.0 + 6.5, error="unavailable")
    assert not told.anomalies()


def test_operation_that_had_to_connect_first_may_take_as_long_as_dialling() -> None:
    told = Telling()
    told.tags(A, at=1.0, until=1.0 + 9.5, error="unavailable")
    assert not told.anomalies()
    told = Telling()
    told.tags(A, at=1.0, until=1.0 + 10.5, error="unavailable")
    assert told.anomalies() == {"deadlines: operation overdue"}


def test_operation_that_was_never_answered_is_named() -> None:
    told = Telling()
    told.tags(A)
    told.tags(A, at=1.0, until=11.0, error="not_answered")
    assert told.anomalies() == {"deadlines: operation overdue"}
