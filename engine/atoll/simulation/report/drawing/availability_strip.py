"""The availability strip: for each region a column a moment, filled as far as operations went well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from atoll.ids import RegionName
from atoll.simulation.history import Entry, Status
from atoll.simulation.report.drawing.rows import LEFT, RIGHT, WIDTH, Row, rows_over_time, time_scale
from atoll.simulation.report.drawing.scale import Scale
from atoll.simulation.report.drawing.svg import group, line, rectangle
from atoll.simulation.report.incidents import Incident
from atoll.simulation.report.statistics import Tally, tally
from atoll.simulation.report.words import counted, percent

HEIGHT = 34.0
COLUMNS_MAX = 110
"""Columns of a strip. Larger: slivers that no pointer hits; smaller: a short fault is averaged away."""


def availability_strip(
    entries: Sequence[Entry], regions: Sequence[RegionName], seconds: float, found: Sequence[Incident]
) -> Markup:
    """The strip of all ``regions`` from 0 to ``seconds``."""
    step = max(1.0, seconds / COLUMNS_MAX)
    x = time_scale(seconds)
    rows = []
    for region in regions:
        mine = [entry for entry in entries if entry.planned.region == region]
        share = percent(tally(mine).share)
        rows.append(Row(name=region, note=f"{share} ok", height=HEIGHT, content=[_base(), *_columns(mine, step, x)]))
    description = "One row a region. A full column: everything asked for in that time went well."
    return rows_over_time("availability-strip", "Availability over time", description, rows, seconds, found)


def _base() -> Markup:
    return line(LEFT, HEIGHT, WIDTH - RIGHT, HEIGHT, class_="grid")


def _columns(entries: Iterable[Entry], step: float, x: Scale) -> list[Markup]:
    buckets: dict[int, list[Entry]] = {}
    for entry in entries:
        buckets.setdefault(int(entry.began // step), []).append(entry)
    return [_column(index * step, step, within, x) for index, within in sorted(buckets.items())]


def _column(began: float, step: float, entries: Sequence[Entry], x: Scale) -> Markup:
    """Ok from the bottom, then unknown, then failed at the top."""
    found = tally(entries)
    left, width = x(began), x(began + step) - x(began) - 0.6
    parts, bottom = [], HEIGHT
    for status, count in ((Status.OK, found.ok), (Status.UNKNOWN, found.unknown), (Status.FAILED, found.failed)):
        height = HEIGHT * count / found.asked
        bottom -= height
        if count:
            parts.append(rectangle(left, bottom, width, height, class_=f"status-{status}"))
    return group(parts, title=_told(began, step, entries, found))


def _told(began: float, step: float, entries: Sequence[Entry], found: Tally) -> str:
    errors = Counter(entry.error or "no answer" for entry in entries if entry.status is not Status.OK)
    why = f": {counted(dict(errors.most_common()))}" if errors else ""
    return f"{began:.0f} to {began + step:.0f} s: {found.ok} of {found.asked} ok{why}"
