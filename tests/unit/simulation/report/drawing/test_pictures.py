"""Pictures say what they show, stay small, and draw every operation, message and fault that they should."""

from __future__ import annotations

import re
from itertools import pairwise

from markupsafe import Markup
from tests.unit.simulation.report.results import THREE, cut, entry, story

from atoll.ids import RegionName
from atoll.simulation.history import Status
from atoll.simulation.report.drawing.availability_strip import availability_strip
from atoll.simulation.report.drawing.curves import POINTS_MAX, backlog_curves, staleness_curves
from atoll.simulation.report.drawing.histogram import histogram_of_seconds
from atoll.simulation.report.drawing.lanes import lanes_picture
from atoll.simulation.report.drawing.svg import element, shortened
from atoll.simulation.report.incidents import incidents
from atoll.simulation.report.timeline import Window
from atoll.simulation.result import Sample, TraceEvent

REGIONS = tuple(map(RegionName, THREE))


def count(picture: Markup, kind: str) -> int:
    """How many shapes of a class are drawn."""
    return len(re.findall(rf'class="{kind}"', picture))


def window(*events: TraceEvent, entries: tuple[object, ...] = (), **more: object) -> Window:
    given = {
        "began": 0.0,
        "ended": 10.0,
        "moment": 9.0,
        "violation": False,
        "events": events,
        "entries": entries,
        "named": frozenset(),
        "left_out": 0,
        "blank": (),
    }
    return Window(**(given | more))  # type: ignore[arg-type]


def event(kind: str, at: float, lane: str = "frankfurt/n1", peer: str = "tokyo/n1", message: int = 1) -> TraceEvent:
    return TraceEvent(at=at, lane=lane, kind=kind, label="Follow", peer=peer, message=message)


def test_text_and_attributes_are_escaped() -> None:
    assert element("text", '<b>"', class_='a"b') == Markup('<text class="a&#34;b">&lt;b&gt;&#34;</text>')


def test_numbers_are_short() -> None:
    assert element("rect", x=1.23456, y=2.0, width=0.0) == Markup('<rect x="1.23" y="2" width="0"/>')


def test_long_name_keeps_both_ends() -> None:
    assert shortened("sao-paulo-south-america-1", 11) == "sao-p…ica-1"
    assert shortened("tokyo", 11) == "tokyo"


def test_column_is_filled_as_far_as_operations_went_well() -> None:
    statuses = [Status.OK, Status.OK, Status.UNKNOWN, Status.FAILED]
    entries = [
        entry(n, began=0.5, status=status, error="" if n < 2 else "unavailable") for n, status in enumerate(statuses)
    ]
    strip = availability_strip(entries, REGIONS[:1], 60.0, incidents([cut(10.0, 5.0, "a>b")]))
    heights = {kind: float(re.search(rf'height="([\d.]+)" class="status-{kind}"', strip)[1]) for kind in Status}  # type: ignore[index]
    assert heights == {Status.OK: 17.0, Status.UNKNOWN: 8.5, Status.FAILED: 8.5}
    assert "0 to 1 s: 2 of 4 ok: unavailable 2" in strip
    assert count(strip, "band") == 1
    assert "<title" in strip
    assert "<desc" in strip


def test_every_fault_window_is_shaded_and_numbers_do_not_cover_each_other() -> None:
    found = incidents([cut(at, 0.5, f"a>{at:g}") for at in range(10, 40)])
    strip = availability_strip([entry(0)], REGIONS, 60.0, found)
    assert count(strip, "band") == 30
    places = [float(place) for place in re.findall(r'x="([\d.]+)" y="15"', strip)]
    assert all(right - left >= 16.0 for left, right in pairwise(places))


def test_curves_are_thinned_without_losing_the_peak() -> None:
    pair = (REGIONS[0], REGIONS[1])
    samples = [
        Sample(at=n / 4, behind={pair: 0}, stale_seconds={pair: 42.0 if n == 1_777 else 0.1}, log_rows={})
        for n in range(4_000)
    ]
    curves = staleness_curves(samples, REGIONS, [])
    assert "at most 42 s" in curves
    assert max(curves_points(curves)) <= POINTS_MAX
    assert backlog_curves(samples, REGIONS, []) == ""


def curves_points(picture: Markup) -> list[int]:
    return [path.count("L") + 1 for path in re.findall(r'd="M([^"]+)" class="curve"', picture)]


def test_message_is_an_arrow_from_sent_to_delivered() -> None:
    shown = window(event("send", 1.0), event("deliver", 2.0, "tokyo/n1", "frankfurt/n1"))
    picture = lanes_picture(shown, REGIONS, [])
    assert count(picture, "arrow") == 1
    assert count(picture, "arrow-head") == 1
    assert "Follow: frankfurt/n1 to tokyo/n1, sent 1.0000 s, delivered 2.0000 s" in picture


def test_message_still_under_way_has_no_head() -> None:
    picture = lanes_picture(window(event("send", 1.0)), REGIONS, [])
    assert (count(picture, "arrow"), count(picture, "arrow-head")) == (1, 0)


def test_dropped_message_is_crossed_numbered_or_not() -> None:
    picture = lanes_picture(
        window(event("send", 1.0), event("drop", 1.1), event("drop", 3.0, message=0)), REGIONS, []
    )
    assert count(picture, "lost") == 2
    assert count(picture, "cross") == 4
    assert "frankfurt/n1 to tokyo/n1, dropped 3.0000 s" in picture


def test_fault_shades_the_lanes_of_what_it_was_done_to() -> None:
    shown = window(event("send", 1.0), event("deliver", 2.0, "tokyo/n1", "frankfurt/n1"))
    assert count(lanes_picture(shown, REGIONS, incidents([cut(5.0, 2.0, "tokyo>dallas")])), "band") == 1
    assert count(lanes_picture(shown, REGIONS, incidents([cut(5.0, 2.0, "dallas>sydney")])), "band") == 0
    assert count(lanes_picture(shown, REGIONS, incidents([cut(50.0, 2.0, "tokyo>dallas")])), "band") == 0


def test_named_operations_are_captioned_and_the_violation_marked() -> None:
    entries = (entry(0, began=1.0, argument="e1"), entry(1, "tokyo", began=2.0, status=Status.UNKNOWN))
    picture = lanes_picture(window(entries=entries, named=frozenset({0}), violation=True), REGIONS, [])
    assert count(picture, "operation status-ok named") == 1
    assert count(picture, "operation status-unknown") == 1
    assert count(picture, "caption") == 1
    assert "set &#39;e1&#39; carts/k1.items ok" in picture
    assert "violation visible" in picture


def test_histogram_counts_every_run_once() -> None:
    picture = histogram_of_seconds("x", "Time to converge", [0.25, 0.25, 0.26, 4.0])
    assert sum(int(found) for found in re.findall(r": (\d+) runs?</title>", picture)) == 4
    assert histogram_of_seconds("x", "Time to converge", []) == ""


def test_pictures_of_a_long_run_stay_small() -> None:
    run = story(seconds=240.0)
    found = incidents(run.faults)
    assert len(availability_strip(run.history, run.regions, 240.0, found)) < 150_000
    assert len(staleness_curves(run.samples, run.regions, found)) < 60_000
