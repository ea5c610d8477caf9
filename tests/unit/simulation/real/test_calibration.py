"""What two runs of one plan say of each other."""

from __future__ import annotations

import pytest
from tests.unit.simulation.report.results import entry

from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action
from atoll.simulation.real.calibration import Figure, availability, latencies, seen_after
from atoll.simulation.real.capabilities import QUESTIONS, Machine, Rung, probe
from atoll.simulation.report.availability import OperationClass


def added(index: int, region: str, element: str, at: float, status: Status = Status.OK) -> Entry:
    return entry(index, region, Action.ADD, began=at - 0.1, ended=at, argument=element, status=status)


def read(index: int, region: str, at: float, *elements: str, final: bool = False) -> Entry:
    return entry(index, region, Action.READ, began=at, ended=at + 0.1, value=tuple(elements), final=final)


def test_element_counts_from_its_acknowledgement_to_the_first_read_elsewhere_that_shows_it() -> None:
    history = [
        added(0, "frankfurt", "a", 1.0),
        read(1, "frankfurt", 1.2, "a"),
        read(2, "tokyo", 2.0),
        read(3, "tokyo", 3.0, "a"),
        read(4, "tokyo", 4.0, "a"),
        read(5, "virginia", 5.0, "a"),
    ]
    assert list(seen_after(history)) == pytest.approx([2.1, 4.1])


def test_last_reads_failed_additions_and_earlier_reads_tell_nothing() -> None:
    history = [
        added(0, "frankfurt", "a", 1.0, Status.UNKNOWN),
        added(1, "frankfurt", "b", 2.0),
        read(2, "tokyo", 1.5, "a", "b"),
        read(3, "tokyo", 9.0, "a", "b", final=True),
    ]
    assert list(seen_after(history)) == []


def test_sets_from_which_something_was_taken_are_left_out() -> None:
    history = [
        added(0, "frankfurt", "a", 1.0),
        entry(1, "frankfurt", Action.REMOVE, began=1.5, argument="a"),
        read(2, "tokyo", 3.0, "a"),
    ]
    assert list(seen_after(history)) == []


def test_reads_of_numbers_and_of_nothing_are_no_sets() -> None:
    history = [
        added(0, "frankfurt", "a", 1.0),
        entry(1, "tokyo", Action.READ, began=2.0, value=7),
        entry(2, "tokyo", Action.READ, began=3.0, value=None),
    ]
    assert list(seen_after(history)) == []


def test_latencies_are_those_of_what_went_well_by_class() -> None:
    history = [
        entry(0, action=Action.SET, began=1.0, ended=1.5),
        entry(1, action=Action.SET, began=1.0, ended=6.0, status=Status.FAILED),
        entry(2, action=Action.READ, began=1.0, ended=1.25),
        entry(3, action=Action.READ, began=1.0, ended=9.0, final=True),
    ]
    assert list(latencies(history, OperationClass.WRITE)) == [0.5]
    assert list(latencies(history, OperationClass.READ)) == [0.25]


def test_availability_is_by_region_or_of_all() -> None:
    history = [entry(0), entry(1, status=Status.FAILED), entry(2, "tokyo"), entry(3, "tokyo")]
    assert availability(history, None) == 0.75
    assert availability(history, history[0].planned.region) == 0.5
    assert availability([], None) is None


def test_error_is_measured_less_predicted_and_unknown_without_either() -> None:
    assert Figure(name="x", predicted=1.0, measured=1.5).error == 0.5
    assert Figure(name="x", predicted=None, measured=1.5).error is None
    assert Figure(name="x", predicted=1.0, measured=None).error is None


def test_probe_answers_every_question_and_describes_the_rung() -> None:
    machine = probe()
    assert machine.allows.keys() == QUESTIONS.keys()
    assert machine.rung is Rung.PROXIES
    assert machine.rung in machine.describe()
    able = Machine(is_root=True, allows=dict.fromkeys(QUESTIONS, True))
    assert able.highest is Rung.NETEM
    assert Machine(is_root=True, allows={**able.allows, "netem": False}).highest is Rung.NAMESPACES
    unable = Machine(is_root=False, allows=dict.fromkeys(QUESTIONS, False))
    assert unable.highest is Rung.PROXIES
