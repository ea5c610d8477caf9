"""Curves over time, one row a region: how stale it was, and how far behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from markupsafe import Markup

from atoll.ids import RegionName
from atoll.simulation.report.drawing.rows import LEFT, RIGHT, WIDTH, Row, rows_over_time, time_scale
from atoll.simulation.report.drawing.scale import LogScale, Scale, decade_below, decades, nice_above
from atoll.simulation.report.drawing.svg import element, line, text
from atoll.simulation.report.incidents import Incident
from atoll.simulation.report.words import count, duration
from atoll.simulation.result import Sample

HEIGHT = 64.0
POINTS_MAX = 400
"""Points of a curve; of more, the greatest of each stretch is drawn. Larger: a page of megabytes."""

Point = tuple[float, float]


def staleness_curves(samples: Sequence[Sample], regions: Sequence[RegionName], found: Sequence[Incident]) -> Markup:
    """For each reader the age of the oldest commit, of any origin, that it did not reflect; logarithmic."""
    series = _series(samples, regions, lambda sample: sample.stale_seconds, max)
    positive = [value for points in series.values() for _, value in points if value > 0]
    if not positive:
        return Markup("")
    low = max(decade_below(sorted(positive)[len(positive) // 20]), 1e-3)
    high = max(nice_above(max(positive)), low * 10)
    scale = LogScale(low=low, high=high, start=HEIGHT, end=0.0)
    marks = [(mark, duration(mark)) for mark in decades(low, high)]
    rows = [
        _row(reader, f"at most {duration(max(v for _, v in points))}", points, scale, marks, samples[-1].at)
        for reader, points in series.items()
    ]
    described = "One row a reading region; the worst origin at each moment; a logarithmic scale."
    return rows_over_time("staleness-curves", "Staleness over time", described, rows, samples[-1].at, found)


def backlog_curves(samples: Sequence[Sample], regions: Sequence[RegionName], found: Sequence[Incident]) -> Markup:
    """For each reader the batches it had yet to apply, of all origins together."""
    series = _series(samples, regions, lambda sample: sample.behind, sum)
    if not any(value for points in series.values() for _, value in points):
        return Markup("")
    high = nice_above(max(value for points in series.values() for _, value in points))
    scale = Scale(low=0.0, high=high, start=HEIGHT, end=0.0)
    marks = [(value, count(round(value))) for value in (0.0, high / 2, high)]
    rows = [
        _row(reader, f"at most {count(round(max(v for _, v in points)))}", points, scale, marks, samples[-1].at)
        for reader, points in series.items()
    ]
    described = "One row a reading region; batches of all other regions that it had yet to apply."
    return rows_over_time("backlog-curves", "Backlog over time", described, rows, samples[-1].at, found)


def _series(
    samples: Sequence[Sample],
    regions: Sequence[RegionName],
    pick: Callable[[Sample], Mapping[tuple[RegionName, RegionName], float]],
    combine: Callable[[Iterable[float]], float],
) -> dict[RegionName, list[Point]]:
    """For each reader its values towards all origins combined to one, sample by sample."""
    points: dict[RegionName, list[Point]] = {region: [] for region in regions}
    for sample in samples:
        values: dict[RegionName, list[float]] = {}
        for (reader, _), value in pick(sample).items():
            values.setdefault(reader, []).append(value)
        for region in regions:
            if region in values:
                points[region].append((sample.at, float(combine(values[region]))))
    return {region: _thinned(found) for region, found in points.items() if found}


def _thinned(points: Sequence[Point]) -> list[Point]:
    """The greatest value of each stretch, so that no peak is lost."""
    stretch = max(1, -(-len(points) // POINTS_MAX))
    return [max(points[at : at + stretch], key=lambda point: point[1]) for at in range(0, len(points), stretch)]


def _row(
    name: str,
    note: str,
    points: Sequence[Point],
    y: Callable[[float], float],
    marks: Sequence[tuple[float, str]],
    seconds: float,
) -> Row:
    x = time_scale(seconds)
    content: list[Markup] = []
    for value, label in marks:
        content.append(line(LEFT, y(value), WIDTH - RIGHT, y(value), class_="grid"))
        content.append(text(LEFT - 6, y(value) + 4, label, class_="tick", text_anchor="end"))
    path = "L".join(f"{x(at):.1f} {y(value):.1f}" for at, value in points)
    first, last = x(points[0][0]), x(points[-1][0])
    content.append(element("path", d=f"M{first:.1f} {HEIGHT}L{path}L{last:.1f} {HEIGHT}Z", class_="area"))
    content.append(element("path", d=f"M{path}", class_="curve"))
    return Row(name=name, note=note, height=HEIGHT, content=content)
