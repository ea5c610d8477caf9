"""Faults of one story are one incident; what only looks alike is not."""

from __future__ import annotations

import pytest
from tests.unit.simulation.report.results import cut, entry

from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.report.incidents import calm, incidents, losses


def crash(at: float, node: str, story: str = "") -> Fault:
    return Fault(at_seconds=at, duration_seconds=2.0, kind=FaultKind.CRASH_NODE, targets=(node,), story=story)


def test_flapping_link_is_one_incident_with_a_window_for_each_cut() -> None:
    (found,) = incidents([cut(at, 1.0, "frankfurt>tokyo", story="flapping") for at in (10.0, 12.0, 14.0)])
    assert found.windows == [(10.0, 11.0), (12.0, 13.0), (14.0, 15.0)]
    assert (found.began, found.ended, found.faults) == (10.0, 15.0, 3)
    assert found.title == "flapping frankfurt, tokyo"


def test_same_story_much_later_is_another_incident() -> None:
    found = incidents([cut(at, 1.0, "frankfurt>tokyo", story="flapping") for at in (10.0, 30.0)])
    assert [each.began for each in found] == [10.0, 30.0]


def test_same_story_somewhere_else_is_another_incident() -> None:
    found = incidents([cut(10.0, 5.0, "a>b", story="link"), cut(11.0, 5.0, "c>d", story="link")])
    assert [each.title for each in found] == ["link a, b", "link c, d"]


def test_crashes_of_two_nodes_are_two_incidents() -> None:
    found = incidents([crash(1.0, "tokyo/n1", "crash_node"), crash(2.0, "tokyo/n2", "crash_node")])
    assert [each.title for each in found] == ["crash node tokyo/n1", "crash node tokyo/n2"]


def test_isolated_region_is_named_without_those_it_is_isolated_from() -> None:
    links = ["frankfurt>dallas", "dallas>frankfurt", "frankfurt>tokyo", "tokyo>frankfurt"]
    (found,) = incidents([cut(10.0, 5.0, link, story="isolate") for link in links])
    assert found.title == "isolate frankfurt"


def test_told_sentence_is_the_title() -> None:
    (found,) = incidents([cut(1.0, 1.0, "a>b", story="the anchor of a ship")])
    assert found.title == "the anchor of a ship"


def test_nothing_lasts_longer_than_traffic() -> None:
    (found,) = incidents([cut(50.0, 100.0, "a>b")], until_seconds=60.0)
    assert found.ended == 60.0
    lost = Fault(at_seconds=50.0, duration_seconds=100.0, kind=FaultKind.LOSE_REGION, targets=("tokyo",))
    assert losses([lost], until_seconds=60.0) == [("tokyo", 50.0, 60.0)]


@pytest.mark.parametrize(
    ("began", "ended", "touched"),
    [(8.0, 9.9, False), (9.0, 10.0, True), (10.5, 10.6, True), (11.0, 11.5, False), (9.0, 20.0, True)],
)
def test_operation_is_touched_if_any_part_of_it_fell_within(began: float, ended: float, touched: bool) -> None:
    found = incidents([cut(10.0, 1.0, "a>b")])
    assert found[0].touches(entry(0, began=began, ended=ended)) is touched
    assert calm(entry(0, began=began, ended=ended), found) is not touched
