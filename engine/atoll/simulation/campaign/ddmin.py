"""Delta debugging: the least of a list that still does it (Zeller and Hildebrandt, "Simplifying and Isolating
Failure-Inducing Input", 2002)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


def ddmin(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> Sequence[T]:
    """A part of ``items``, in their order, that ``fails`` and of which no single item can be left out.

    ``items`` themselves are known to fail and are not asked about; the empty list is asked first. 1-minimality holds
    for any deterministic ``fails``. Questions grow with the square of the number of items at worst, and with its
    logarithm where one item alone is to blame.
    """
    if not items or fails(()):
        return ()
    current, chunks = list(items), 2
    while len(current) > 1:
        chunks = min(chunks, len(current))
        found = next(((part, then) for part, then in _smaller(current, chunks) if fails(part)), None)
        if found is not None:
            current, chunks = found
        elif chunks < len(current):
            chunks *= 2
        else:
            break
    return current


def _smaller(items: list[T], chunks: int) -> Iterator[tuple[list[T], int]]:
    """Each chunk alone, then all but each chunk, with the number of chunks to cut it into next."""
    bounds = [len(items) * index // chunks for index in range(chunks + 1)]
    cuts = list(pairwise(bounds))
    yield from ((items[low:high], 2) for low, high in cuts)
    if chunks > 2:
        yield from ((items[:low] + items[high:], max(chunks - 1, 2)) for low, high in cuts)
