"""Findings are told by class, in the order in which they became visible."""

from __future__ import annotations

from tests.unit.simulation.report.results import checker, entry, result

from atoll.simulation.report.findings import finding_classes, moment_of
from atoll.simulation.verdict import Finding


def found(anomaly: str, at: float, *entries: int) -> Finding:
    return Finding(checker="sets", anomaly=anomaly, sentence=anomaly, at=at, entries=entries)


def test_violation_is_visible_at_the_end_of_the_last_operation_that_shows_it() -> None:
    entries = {each.index: each for each in (entry(0, began=1.0), entry(1, began=5.0, ended=6.0))}
    assert moment_of(found("lost", 136.0, 0, 1), entries) == 6.0
    assert moment_of(found("lost", 5.5, 0, 1), entries) == 5.5
    assert moment_of(found("lost", 136.0), entries) == 136.0
    assert moment_of(found("lost", 136.0, 99), entries) == 136.0


def test_findings_of_one_anomaly_are_one_class_and_the_earliest_is_first() -> None:
    history = [entry(0, began=1.0, ended=2.0), entry(1, began=8.0, ended=9.0)]
    late, early, alone = found("lost", 100.0, 1), found("lost", 100.0, 0), found("doubled", 5.0)
    classes = finding_classes(result(history=history, checkers=(checker(findings=(late, alone, early)),)))
    assert [(each.anomaly, each.findings, each.moment) for each in classes] == [
        ("lost", [early, late], 2.0),
        ("doubled", [alone], 5.0),
    ]


def test_same_anomaly_of_two_checkers_is_two_classes() -> None:
    both = (checker("sets", findings=(found("lost", 1.0),)), checker("counters", findings=(found("lost", 2.0),)))
    assert [each.checker.checker for each in finding_classes(result(checkers=both))] == ["sets", "counters"]
