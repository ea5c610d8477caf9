"""Sets of counters as sorted, disjoint, non-touching half-open intervals ``(lo, hi]``.

The interval ``(lo, hi]`` holds the integers from ``lo + 1`` to ``hi``. Two intervals that touch are one, so a set of
counters has exactly one form: equal sets are equal tuples.
"""

from __future__ import annotations

from collections.abc import Iterable

Interval = tuple[int, int]
Intervals = tuple[Interval, ...]


def union(left: Intervals, right: Intervals) -> Intervals:
    """All counters of either set, in the one canonical form."""
    return normalised((*left, *right))


def normalised(intervals: Iterable[Interval]) -> Intervals:
    """Merge intervals that overlap or touch; the input may be in any order."""
    merged: list[Interval] = []
    for lo, hi in sorted(intervals):
        assert 0 <= lo < hi, "an interval (lo, hi] holds at least one counter above zero"
        if merged and lo <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(hi, merged[-1][1]))
        else:
            merged.append((lo, hi))
    return tuple(merged)


def includes(outer: Intervals, inner: Intervals) -> bool:
    """Whether every counter of ``inner`` is in ``outer``."""
    return all(any(lo <= low and high <= hi for lo, hi in outer) for low, high in inner)


def overlap(left: Intervals, right: Intervals) -> bool:
    """Whether some counter is in both sets."""
    return any(lo < high and low < hi for lo, hi in left for low, high in right)


def contains(intervals: Intervals, counter: int) -> bool:
    """Whether ``counter`` is in the set."""
    return any(lo < counter <= hi for lo, hi in intervals)
