"""Lanes: who did what when, one lane a client, node and shard, messages as arrows from sent to delivered.

After L. Lamport, *Time, Clocks, and the Ordering of Events in a Distributed System* (CACM 1978), with time from left
to right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from atoll.ids import RegionName
from atoll.simulation.history import Entry
from atoll.simulation.naming import region_of
from atoll.simulation.report.drawing.rows import LEFT, RIGHT, WIDTH, time_axis
from atoll.simulation.report.drawing.scale import BrokenScale
from atoll.simulation.report.drawing.svg import element, group, line, picture, rectangle, shortened, text
from atoll.simulation.report.incidents import Incident
from atoll.simulation.report.timeline import Window
from atoll.simulation.result import TraceEvent

LANE = 26.0
HEADING = 26.0
TOP = 22.0
BOX = 14.0
STUB = 14.0
"""Length of an arrow whose other end lies outside of the window."""
CHARACTER = 6.4
"""Width of a character of a label, about; to keep labels inside of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """Where each lane lies: ``places`` by (region, name), ``headings`` the top of each region's block."""

    places: Mapping[tuple[str, str], float]
    headings: Sequence[tuple[str, float, float]]
    bottom: float


def lanes_picture(shown: Window, regions: Sequence[RegionName], found: Sequence[Incident]) -> Markup:
    """The drawing of a window."""
    x = BrokenScale(low=shown.began, high=shown.ended, start=LEFT, end=WIDTH - RIGHT, breaks=shown.blank)
    lanes = _layout(shown, regions)
    parts = [
        *_ground(lanes, x),
        *_bands(lanes, x, found),
        *_blanks(shown, lanes, x),
        *_messages(shown.events, lanes, x),
        *(_event(event, lanes, x) for event in shown.events if event.kind in ("commit", "capture", "apply")),
        *(_operation(entry, entry.index in shown.named, lanes, x) for entry in shown.entries),
        *(_caption(entry, lanes, x) for entry in shown.entries if entry.index in shown.named),
        *_moment(shown, lanes, x),
        *time_axis(x, lanes.bottom, x.marks()),
    ]
    title = f"Timeline from {shown.began:.3f} to {shown.ended:.3f} s"
    described = (
        f"{len(lanes.places)} lanes of clients, nodes and shards by region, {len(shown.entries)} operations and "
        f"{len(shown.events)} events."
    )
    return picture("lanes", title, described, WIDTH, lanes.bottom + 30, parts)


def _layout(shown: Window, regions: Sequence[RegionName]) -> Lanes:
    """Clients first, then nodes and databases as their names sort, region after region; regions without a lane are
    left out."""
    clients: dict[str, dict[str, None]] = {}
    hosts: dict[str, set[str]] = {}
    for entry in shown.entries:
        clients.setdefault(entry.planned.region, {})[entry.planned.client] = None
    for event in shown.events:
        for lane in (event.lane, event.peer):
            if lane:
                hosts.setdefault(region_of(lane), set()).add(lane)
    places: dict[tuple[str, str], float] = {}
    headings: list[tuple[str, float, float]] = []
    top = TOP
    for region in dict.fromkeys([*regions, *sorted(hosts)]):
        names = [*clients.get(region, ()), *sorted(hosts.get(region, ()))]
        if not names:
            continue
        for place, name in enumerate(names):
            places[region, name] = top + HEADING + place * LANE + LANE / 2
        height = HEADING + len(names) * LANE
        headings.append((region, top, height))
        top += height + 8
    return Lanes(places=places, headings=headings, bottom=top)


def _ground(lanes: Lanes, x: BrokenScale) -> Iterable[Markup]:
    for region, top, height in lanes.headings:
        yield rectangle(0, top, WIDTH, height, class_="lane-shade", rx=6.0)
        yield text(10, top + 17, shortened(region, 23), class_="region")
    for (region, name), y in lanes.places.items():
        label = shortened(name.removeprefix(f"{region}/"), 20)
        yield element("text", element("title", name), label, x=LEFT - 10, y=y + 4, class_="tick", text_anchor="end")
        yield line(x.start, y, x.end, y, class_="lane")


def _bands(lanes: Lanes, x: BrokenScale, found: Sequence[Incident]) -> Iterable[Markup]:
    """A shade over the lanes of what each fault was done to: hosts, whole regions, both ends of a link."""
    for number, incident in enumerate(found, start=1):
        hit = {end for target in incident.targets for end in target.split(">")}
        for began, ended in incident.windows:
            if ended < x.low or began > x.high:
                continue
            for (region, name), y in lanes.places.items():
                if region in hit or name in hit:
                    told = f"{number}: {incident.title}"
                    width = x(ended) - x(began)
                    yield rectangle(x(began), y - LANE / 2, width, LANE, title=told, class_="band")


def _blanks(shown: Window, lanes: Lanes, x: BrokenScale) -> Iterable[Markup]:
    """Where events were left out, so that emptiness is not taken for silence."""
    for began, ended in shown.blank:
        left, width = x(began) + 6, x(ended) - x(began) - 12
        told = f"{ended - began:.2f} s of which no events are drawn"
        yield rectangle(left, TOP, width, lanes.bottom - TOP - 8, title=told, class_="blank")
        yield text(left + width / 2, TOP + 15, f"{ended - began:.1f} s", class_="tick", text_anchor="middle")


def _place(lane: str, lanes: Lanes) -> float:
    return lanes.places[region_of(lane), lane]


def _messages(events: Sequence[TraceEvent], lanes: Lanes, x: BrokenScale) -> Iterable[Markup]:
    """Arrows; dropped ones end in a cross half-way, ones whose other end is not in the window are stubs."""
    ends: dict[int, dict[str, TraceEvent]] = {}
    for place, event in enumerate(events):
        if event.kind in ("send", "deliver", "drop"):
            ends.setdefault(event.message or -1 - place, {}).setdefault(event.kind, event)
    for message in ends.values():
        yield _message(message.get("send"), message.get("deliver"), message.get("drop"), lanes, x)


def _message(
    sent: TraceEvent | None, delivered: TraceEvent | None, dropped: TraceEvent | None, lanes: Lanes, x: BrokenScale
) -> Markup:
    known = sent or delivered or dropped
    assert known is not None, "a message has an end"
    source, target = (known.peer, known.lane) if known is delivered else (known.lane, known.peer)
    if not source or not target:
        return Markup("")
    y1, y2 = _place(source, lanes), _place(target, lanes)
    told = f"{known.label}: {source} to {target}, " + ", ".join(
        f"{word} {event.at:.4f} s"
        for word, event in (("sent", sent), ("delivered", delivered), ("dropped", dropped))
        if event
    )
    if dropped:
        x1 = x(sent.at if sent else dropped.at)
        x2, y2 = max(x(dropped.at), x1 + STUB), y1 + (y2 - y1) * 0.55
        return group([line(x1, y1, x2, y2, class_="lost"), *_cross(x2, y2)], title=told)
    if sent and delivered:
        x1, x2 = x(sent.at), x(delivered.at)
    elif sent:
        x1, x2, y2 = x(sent.at), x(sent.at) + STUB, y1 + (y2 - y1) * 0.25
    else:
        x1, x2, y1 = x(known.at) - STUB, x(known.at), y2 + (y1 - y2) * 0.25
    parts = [line(x1, y1, x2, y2, class_="arrow")]
    if delivered:
        parts.append(element("circle", cx=x2, cy=y2, r=2.4, class_="arrow-head"))
    return group(parts, title=told)


def _cross(x: float, y: float) -> list[Markup]:
    return [
        line(x - 4, y - 4, x + 4, y + 4, class_="cross"),
        line(x - 4, y + 4, x + 4, y - 4, class_="cross"),
    ]


def _event(event: TraceEvent, lanes: Lanes, x: BrokenScale) -> Markup:
    """A shape a kind: commit a circle, capture a square, apply a diamond."""
    y, place = _place(event.lane, lanes), x(event.at)
    match event.kind:
        case "commit":
            shape = element("circle", cx=place, cy=y, r=3.2, class_="event")
        case "capture":
            shape = rectangle(place - 3, y - 3, 6, 6, class_="event")
        case _:
            shape = element("path", d=f"M{place:.1f} {y - 4.5}l4.5 4.5-4.5 4.5-4.5-4.5z", class_="event")
    return group([shape], title=f"{event.kind} {event.label}: {event.lane}, {event.at:.4f} s")


def _operation(entry: Entry, named: bool, lanes: Lanes, x: BrokenScale) -> Markup:
    y = lanes.places[entry.planned.region, entry.planned.client]
    left, right = x(entry.began), x(entry.ended)
    height = BOX + (6 if named else 0)
    kinds = f"operation status-{entry.status}{' named' if named else ''}"
    told = f"{saying(entry)}: {entry.status}{f' ({entry.error})' if entry.error else ''}, session {entry.session}"
    times = f", {entry.began:.4f} to {entry.ended:.4f} s"
    width = max(right - left, 3.0)
    return rectangle(left, y - height / 2, width, height, title=told + times, class_=kinds, rx=2.0)


def _caption(entry: Entry, lanes: Lanes, x: BrokenScale) -> Markup:
    """What a named operation was, beside its box, on the side where there is room."""
    y = lanes.places[entry.planned.region, entry.planned.client]
    words = shortened(f"{saying(entry)} {entry.status}", 44)
    right = max(x(entry.ended), x(entry.began) + 3.0) + 6
    attributes = {"class_": "caption"}
    if right + len(words) * CHARACTER > x.end:
        return text(x(entry.began) - 6, y - 6, words, text_anchor="end", **attributes)
    return text(right, y - 6, words, **attributes)


def _moment(shown: Window, lanes: Lanes, x: BrokenScale) -> Iterable[Markup]:
    if shown.violation:
        place = x(shown.moment)
        yield line(place, TOP - 4, place, lanes.bottom, class_="moment")
        words = "violation visible"
        middle = min(place, WIDTH - len(words) * CHARACTER / 2)
        yield text(middle, TOP - 9, words, class_="moment-text", text_anchor="middle")


def saying(entry: Entry) -> str:
    """What was asked for: ``add 'e12' to carts/k1.items``."""
    planned = entry.planned
    argument = "" if planned.argument is None else f" {planned.argument!r}"
    place = f"{planned.collection}/{planned.key}{f'.{planned.field}' if planned.field else ''}"
    return f"{planned.action}{argument} {place}"
