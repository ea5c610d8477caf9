"""What bit, and whether a run proved anything."""

from __future__ import annotations

import pytest
from tests.unit.simulation.report.results import checker, cut, entry, result

from atoll.simulation.history import Status
from atoll.simulation.report.coverage import CHECKS_MIN, bites, is_measure, legal_anomalies, proved_little
from atoll.simulation.result import ConflictCount, RunResult
from atoll.simulation.verdict import Finding

CONFLICTS = {"carts.items": ConflictCount(met=5, discarded=0)}


def strong(**more: object) -> RunResult:
    """A run that proved something; anything may be given to weaken it."""
    given: dict[str, object] = {
        "faults": (cut(1.0, 1.0, "a>b"),),
        "bites": {"cut: messages dropped": 12},
        "conflicts": CONFLICTS,
        "history": [entry(index) for index in range(10)],
    }
    return result(**(given | more))


def test_fault_that_was_done_and_did_nothing_did_not_bite() -> None:
    found = bites([cut(1.0, 1.0, "a>b"), cut(5.0, 1.0, "a>b")], {"cut: messages dropped": 0, "network: jitter": 3})
    assert [(each.kind, each.done, each.bit) for each in found] == [("cut", 2, False), ("network", 0, True)]
    assert found[1].bites == {"jitter": 3}


def test_strong_run_proved_something() -> None:
    assert proved_little(strong()) == []


@pytest.mark.parametrize(
    ("weakness", "reason"),
    [
        ({"faults": (), "bites": {}}, "No fault was planned"),
        ({"bites": {"cut: messages dropped": 0}}, "None of the 1 faults bit"),
        ({"conflicts": {}}, "Nothing was concurrent"),
        ({"checkers": (checker(checks=CHECKS_MIN - 1),)}, f"Only {CHECKS_MIN - 1} things were compared"),
        ({"checkers": ()}, "No checker looked"),
        ({"history": ()}, "Nobody asked for anything"),
        ({"history": [entry(0, final=True)]}, "Nobody asked for anything"),
        ({"history": [entry(n, status=Status.FAILED) for n in range(9)] + [entry(9)]}, "Only 1 of 10 operations"),
    ],
)
def test_weak_run_says_why_it_proved_little(weakness: dict[str, object], reason: str) -> None:
    (said,) = proved_little(strong(**weakness))
    assert said.startswith(reason)


def test_stale_read_shows_concurrency_and_a_measured_amount_does_not() -> None:
    stale = checker(legal={"stale reads": 1})
    measured = checker(legal={"peak of log rows of one shard": 40, "elements read": 163})
    assert proved_little(strong(conflicts={}, checkers=(stale,))) == []
    assert proved_little(strong(conflicts={}, checkers=(measured,))) != []


def test_violation_is_never_little() -> None:
    finding = Finding(checker="sets", anomaly="lost write", sentence="It is gone.", at=1.0)
    assert proved_little(result(checkers=(checker(findings=(finding,)),))) == []


def test_anomalies_add_up_over_checkers_without_measures_and_zeros() -> None:
    one = checker(legal={"stale reads": 2, "long forks": 0, "peak of batches": 9})
    other = checker(legal={"stale reads": 3, "visible a>b p99 ms": 1_412})
    assert legal_anomalies(result(checkers=(one, other))) == {"stale reads": 5}


@pytest.mark.parametrize(
    ("name", "measure"), [("peak of x", True), ("visible a>b max ms", True), ("stale reads", False)]
)
def test_names_of_amounts_are_told_from_names_of_counts(name: str, measure: bool) -> None:
    assert is_measure(name) is measure
