"""A histogram over seeds: how many runs had how much of something, on a logarithmic scale."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from atoll.simulation.report.drawing.svg import line, picture, rectangle, text
from atoll.simulation.report.words import duration, plural

WIDTH, HEIGHT, LEFT, BOTTOM = 500.0, 150.0, 36.0, 34.0
BINS_PER_DECADE = 6
FLOOR_SECONDS = 1e-3
"""Less is drawn in the first column. Smaller: empty decades before the first run."""


def histogram_of_seconds(name: str, title: str, seconds: Sequence[float]) -> Markup:
    """One column a sixth of an order of magnitude; nothing at all without values."""
    if not seconds:
        return Markup("")
    bins = Counter(_bin(value) for value in seconds)
    low, high = min(bins), max(bins) + 1
    step = (WIDTH - LEFT - 8) / (high - low)
    most = max(bins.values())
    parts = [line(LEFT, HEIGHT, WIDTH, HEIGHT, class_="axis"), text(LEFT - 6, 14, f"{most:,}", **_END)]
    for number, count in sorted(bins.items()):
        height = (HEIGHT - 12) * count / most
        left = LEFT + (number - low) * step
        told = f"{duration(_edge(number))} to {duration(_edge(number + 1))}: {plural(count, 'run')}"
        parts.append(rectangle(left, HEIGHT - height, min(step, 60.0) - 1.5, height, title=told, class_="column"))
    every = max(1, (high - low) // 5)
    for number in range(low, high, every):
        place = LEFT + (number - low) * step
        parts.append(text(place, HEIGHT + 17, duration(_edge(number)), class_="tick", text_anchor="middle"))
    described = f"{plural(len(seconds), 'run')}, from {duration(min(seconds))} to {duration(max(seconds))}."
    return picture(name, title, described, WIDTH, HEIGHT + BOTTOM, parts)


_END = {"class_": "tick", "text_anchor": "end"}


def _bin(seconds: float) -> int:
    return math.floor(math.log10(max(seconds, FLOOR_SECONDS)) * BINS_PER_DECADE + 1e-9)


def _edge(number: int) -> float:
    return float(10 ** (number / BINS_PER_DECADE))
