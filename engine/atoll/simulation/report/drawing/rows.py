"""Rows over time: one band a region, all over the same seconds, with the times of faults shaded behind them.

Every chart over time is drawn in this frame, so that what happened at one moment stands in one column across all of
them. Faults carry the number that they have in the page's list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from atoll.simulation.report.drawing.scale import BrokenScale, Scale, ticks
from atoll.simulation.report.drawing.svg import element, line, picture, rectangle, shortened, text
from atoll.simulation.report.incidents import Incident

WIDTH = 1040.0
LEFT = 196.0
RIGHT = 16.0
TOP = 26.0
BOTTOM = 40.0
GAP = 16.0
NAME = 56.0
"""Room for the marks of a scale between a row's name and its beginning."""
LABEL_CHARACTERS_MAX = 17
BADGES_MAX = 12
"""Faults with their number above the chart. Larger: the numbers cover each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One band: its name, a second line in small print, its height, and what is drawn in it, from its top at 0."""

    name: str
    note: str
    height: float
    content: Sequence[Markup]


def time_scale(seconds: float) -> Scale:
    """From 0 to ``seconds`` over the width of the frame."""
    return Scale(low=0.0, high=max(seconds, 1e-3), start=LEFT, end=WIDTH - RIGHT)


def rows_over_time(
    name: str, title: str, description: str, rows: Sequence[Row], seconds: float, found: Sequence[Incident]
) -> Markup:
    """The drawing. ``name`` is unique on the page."""
    x = time_scale(seconds)
    bottom = TOP + sum(row.height + GAP for row in rows)
    parts: list[Markup] = [*fault_bands(found, x, TOP - 4, bottom - GAP + 4), *_badges(found, x)]
    top = TOP
    for row in rows:
        parts += _row(row, top)
        top += row.height + GAP
    parts += time_axis(x, bottom - GAP + 4, ticks(x.low, x.high, 12))
    return picture(name, title, description, WIDTH, bottom - GAP + BOTTOM, parts)


def fault_bands(found: Iterable[Incident], x: Scale, top: float, bottom: float) -> list[Markup]:
    """A shade for each window of each incident that reaches into the scale."""
    return [
        rectangle(
            x(began),
            top,
            max(1.5, x(ended) - x(began)),
            bottom - top,
            title=f"{number}: {incident.title}",
            class_="band",
        )
        for number, incident in enumerate(found, start=1)
        for began, ended in incident.windows
        if began <= x.high and ended >= x.low
    ]


def time_axis(x: Scale | BrokenScale, y: float, marks: Sequence[float]) -> list[Markup]:
    """Seconds under the drawing; the last mark names the unit."""
    parts: list[Markup] = [line(x.start, y, x.end, y, class_="axis")]
    for mark in marks:
        parts.append(line(x(mark), y, x(mark), y + 4, class_="axis"))
        unit = " s" if mark == marks[-1] else ""
        parts.append(text(x(mark), y + 18, f"{mark:.10g}{unit}", class_="tick", text_anchor="middle"))
    return parts


def _badges(found: Sequence[Incident], x: Scale) -> list[Markup]:
    """The numbers of the faults, never one upon another: what does not fit is left to the shade's title."""
    parts: list[Markup] = []
    free_from = x.start - 8.0
    for number, incident in enumerate(found, start=1):
        middle = x(incident.began) + 8.0
        if middle - 8.0 < free_from or len(parts) >= BADGES_MAX or incident.began > x.high:
            continue
        shape = rectangle(middle - 8.0, 3.0, 16.0, 16.0, title=incident.title, class_="badge", rx=4.0)
        parts.append(element("g", shape, text(middle, 15.0, str(number), class_="badge-text", text_anchor="middle")))
        free_from = middle + 10.0
    return parts


def _row(row: Row, top: float) -> list[Markup]:
    name = shortened(row.name, LABEL_CHARACTERS_MAX)
    label = element("tspan", name)
    told = [element("title", row.name)] if name != row.name else []
    return [
        element("text", *told, label, x=LEFT - NAME, y=top + row.height / 2, class_="row-name", text_anchor="end"),
        text(LEFT - NAME, top + row.height / 2 + 14, row.note, class_="tick", text_anchor="end"),
        element("g", *row.content, transform=f"translate(0 {top:g})"),
    ]
