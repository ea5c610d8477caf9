"""Scales: from values to places on a drawing, and the round values to mark on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A linear scale: ``low`` is drawn at ``start``, ``high`` at ``end``; what lies outside is drawn at the edge."""

    low: float
    high: float
    start: float
    end: float

    def __post_init__(self) -> None:
        assert self.low < self.high, "a scale needs room"

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenScale:
    """A scale on which each stretch of ``breaks`` (ascending, apart, within) takes ``break_width`` at most, however
    long; the rest is linear and shares what is left."""

    low: float
    high: float
    start: float
    end: float
    breaks: Sequence[tuple[float, float]] = ()
    break_width: float = 48.0

    def pieces(self) -> Sequence[Scale]:
        """The linear pieces in order, breaks among them."""
        edges = [self.low, *(edge for stretch in self.breaks for edge in stretch), self.high]
        stretches = [(a, b) for a, b in pairwise(edges) if a < b]
        broken = [stretch in self.breaks for stretch in stretches]
        room = self.end - self.start - self.break_width * sum(broken)
        seconds = sum(b - a for (a, b), is_break in zip(stretches, broken, strict=True) if not is_break)
        found: list[Scale] = []
        left = self.start
        for (a, b), is_break in zip(stretches, broken, strict=True):
            width = self.break_width if is_break else room * (b - a) / seconds
            found.append(Scale(low=a, high=b, start=left, end=left + width))
            left += width
        return found

    def __call__(self, value: float) -> float:
        pieces = self.pieces()
        return next((piece for piece in pieces if value <= piece.high), pieces[-1])(value)

    def marks(self, apart: float = 80.0) -> Sequence[float]:
        """Round values outside of the breaks, about ``apart`` from each other."""
        return [
            mark
            for piece in self.pieces()
            if (piece.low, piece.high) not in self.breaks
            for mark in ticks(piece.low, piece.high, max(1, int((piece.end - piece.start) / apart)))
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogScale:
    """A logarithmic scale from ``low`` (above zero) up; anything less, zero included, is drawn at the edge."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = math.log(min(max(value, self.low), self.high) / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, most: int) -> Sequence[float]:
    """At most ``most`` round values within, evenly spaced."""
    assert low < high, "a scale needs room"
    raw = (high - low) / max(1, most)
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(each * magnitude for each in _STEPS if each * magnitude >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)][:most]


def decades(low: float, high: float) -> Sequence[float]:
    """The powers of ten from ``low`` to ``high``, ``low`` being one."""
    first, last = round(math.log10(low)), math.floor(math.log10(high) + 1e-9)
    return [10.0**power for power in range(first, last + 1)]


def decade_below(value: float) -> float:
    """The greatest power of ten that is not above ``value``."""
    return float(10.0 ** math.floor(math.log10(value) + 1e-9))


def nice_above(value: float) -> float:
    """The least of 1, 2, 5, 10, … that is not below ``value``; 1 for nothing."""
    if value <= 0:
        return 1.0
    magnitude = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return next(step * magnitude for step in _STEPS if step * magnitude >= value * (1 - 1e-9))
