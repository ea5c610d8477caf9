"""Availability by region and class, before, during and after what went wrong."""

from __future__ import annotations

from tests.unit.simulation.report.results import THREE, cut, entry

from atoll.ids import RegionName
from atoll.simulation.history import Status
from atoll.simulation.plan import Action
from atoll.simulation.report.availability import (
    OperationClass,
    asked_by_clients,
    availability,
    phases,
    phases_of_all,
    unavailable,
    while_lost,
)
from atoll.simulation.report.incidents import incidents
from atoll.simulation.report.statistics import Tally

REGIONS = tuple(map(RegionName, THREE))
FRANKFURT, WASHINGTON, TOKYO = REGIONS
READ, WRITE = OperationClass

HISTORY = [
    entry(0, began=1.0),
    entry(1, began=2.0, action=Action.READ),
    entry(2, began=9.5, ended=10.5, status=Status.FAILED, error="unavailable"),
    entry(3, began=11.0),
    entry(4, began=12.0, status=Status.UNKNOWN, error="outcome_unknown"),
    entry(5, "tokyo", began=12.0, action=Action.READ),
    entry(6, began=20.0),
    entry(7, began=30.0, final=True, action=Action.READ, status=Status.FAILED, error="unavailable"),
]


def test_operations_are_counted_by_region_and_class() -> None:
    found = availability(asked_by_clients(HISTORY), REGIONS)
    assert found[FRANKFURT] == {READ: Tally(ok=1), WRITE: Tally(ok=3, failed=1, unknown=1)}
    assert found[TOKYO] == {READ: Tally(ok=1), WRITE: Tally()}
    assert found[WASHINGTON] == {READ: Tally(), WRITE: Tally()}


def test_operation_that_began_before_a_fault_and_met_it_counts_as_during() -> None:
    found = incidents([cut(10.0, 5.0, "frankfurt>tokyo")])
    (around,) = phases(asked_by_clients(HISTORY), found, REGIONS)
    assert around.before[FRANKFURT][WRITE] == Tally(ok=1)
    assert around.during[FRANKFURT][WRITE] == Tally(ok=1, failed=1, unknown=1)
    assert around.after[FRANKFURT][WRITE] == Tally(ok=1)
    assert around.errors[FRANKFURT] == {"outcome_unknown": 1, "unavailable": 1}
    assert around.errors[TOKYO] == {}


def test_before_and_after_one_fault_are_free_of_every_other_fault() -> None:
    found = incidents([cut(0.5, 1.0, "a>b"), cut(10.0, 5.0, "c>d"), cut(19.0, 3.0, "e>f")])
    around = phases(asked_by_clients(HISTORY), found, REGIONS)[1]
    assert around.before[FRANKFURT] == {READ: Tally(ok=1), WRITE: Tally()}
    assert around.after[FRANKFURT] == {READ: Tally(), WRITE: Tally()}


def test_calm_operations_between_two_faults_belong_to_no_phase_of_all_together() -> None:
    found = incidents([cut(0.5, 1.0, "a>b"), cut(10.0, 5.0, "c>d")])
    around = phases_of_all(asked_by_clients(HISTORY), found, REGIONS)
    assert around is not None
    assert around.before[FRANKFURT] == {READ: Tally(), WRITE: Tally()}
    assert around.during[FRANKFURT] == {READ: Tally(), WRITE: Tally(ok=2, failed=1, unknown=1)}
    assert around.after[FRANKFURT][WRITE] == Tally(ok=1)


def test_run_without_faults_has_no_phases() -> None:
    assert phases_of_all(HISTORY, [], REGIONS) is None


def test_errors_are_counted_the_most_frequent_first() -> None:
    errors = ["overloaded", "unavailable", "unavailable", ""]
    entries = [entry(n, status=Status.FAILED, error=error) for n, error in enumerate(errors)]
    assert list(unavailable(entries, REGIONS)[FRANKFURT].items()) == [
        ("unavailable", 2),
        ("failed without an error", 1),
        ("overloaded", 1),
    ]


def test_loss_of_a_region_counts_what_began_meanwhile_by_the_region_asked() -> None:
    found = while_lost(asked_by_clients(HISTORY), [(TOKYO, 11.5, 19.0)], REGIONS)
    assert found == {TOKYO: {FRANKFURT: Tally(unknown=1), WASHINGTON: Tally(), TOKYO: Tally(ok=1)}}
