"""The window of the timeline: around the violation, with what explains it, never more than a person can follow."""

from __future__ import annotations

from collections.abc import Sequence

from tests.unit.simulation.report.results import checker, cut, entry, result, story

from atoll.simulation.report.incidents import incidents
from atoll.simulation.report.timeline import CLIENTS_MAX, EVENTS_MAX, SECONDS_MAX, SECONDS_MIN, window
from atoll.simulation.result import RunResult, TraceEvent
from atoll.simulation.verdict import Finding

FINDING = Finding(checker="sets", anomaly="lost write", sentence="Gone.", at=50.0, entries=(0, 1))


def events(begin: float, end: float, count: int, lane: str = "frankfurt/n1") -> list[TraceEvent]:
    step = (end - begin) / count
    return [TraceEvent(at=begin + step * n, lane=lane, kind="commit", label="1 row") for n in range(count)]


def run(happened: Sequence[TraceEvent], write_at: float = 48.0, **more: object) -> RunResult:
    history = [entry(0, began=write_at, client="writer"), entry(1, began=49.99, ended=50.0, client="reader")]
    given: dict[str, object] = {"history": history, "checkers": (checker(findings=(FINDING,)),), "events": happened}
    return result(**(given | more))


def test_window_reaches_from_the_cause_to_just_after_the_violation() -> None:
    found = window(run(events(0.0, 100.0, 200)), [], FINDING)
    assert found is not None
    assert 47.0 < found.began < 48.0
    assert 50.0 < found.ended < 51.0
    assert [each.index for each in found.entries] == [0, 1]
    assert all(found.began <= each.at <= found.ended for each in found.events)
    assert (found.left_out, found.blank, found.violation) == (0, [], True)


def test_of_too_many_events_those_closest_to_the_named_operations_stay() -> None:
    found = window(run(events(40.0, 60.0, 20_000)), [], FINDING)
    assert found is not None
    assert len(found.events) == EVENTS_MAX
    assert found.left_out > 1_000
    near = [each for each in found.events if min(abs(each.at - 48.0), abs(each.at - 50.0)) < 0.3]
    assert len(near) == EVENTS_MAX
    ((left, right),) = found.blank
    assert 48.0 < left < 48.4
    assert 49.6 < right < 50.0


def test_silence_is_no_blank() -> None:
    happened = [*events(47.9, 48.1, 20), *events(49.9, 50.1, 20)]
    found = window(run(happened), [], FINDING)
    assert found is not None
    assert found.blank == []


def test_cause_too_long_before_does_not_stretch_the_window() -> None:
    found = window(run(events(0.0, 60.0, 100), write_at=3.0), [], FINDING)
    assert found is not None
    assert found.ended - found.began < 2 * SECONDS_MAX
    assert [each.index for each in found.entries] == [1]


def test_instant_gets_its_surroundings() -> None:
    found = window(run(events(49.0, 51.0, 10), write_at=49.995), [], FINDING)
    assert found is not None
    assert found.ended - found.began >= SECONDS_MIN - 1e-9


def test_events_of_other_regions_are_left_out() -> None:
    found = window(run([*events(48.0, 50.0, 10), *events(48.0, 50.0, 10, lane="tokyo/n1")]), [], FINDING)
    assert found is not None
    assert {each.lane for each in found.events} == {"frankfurt/n1"}
    assert found.left_out == 10


def test_clients_of_the_finding_come_first() -> None:
    history = [entry(n + 2, began=49.0, client=f"other-{n:02}") for n in range(CLIENTS_MAX + 5)]
    first = run(events(48.0, 50.0, 10))
    found = window(run(events(48.0, 50.0, 10), history=[*first.history, *history]), [], FINDING)
    assert found is not None
    clients = {each.planned.client for each in found.entries}
    assert {"writer", "reader"} <= clients
    assert len(clients) == CLIENTS_MAX


def test_without_a_violation_the_first_fault_is_shown() -> None:
    found = window(story(), incidents([cut(60.0, 5.0, "frankfurt>tokyo")]), None)
    assert found is not None
    assert found.began < 60.1 < found.ended
    assert not found.violation


def test_run_that_was_not_recorded_and_violated_nothing_has_no_window() -> None:
    assert window(result(history=[entry(0)]), [], None) is None


def test_whole_story_never_exceeds_the_bound() -> None:
    run_result = story(violated=True)
    found = window(run_result, incidents(run_result.faults), run_result.checkers[0].findings[0])
    assert found is not None
    assert len(found.events) <= EVENTS_MAX
