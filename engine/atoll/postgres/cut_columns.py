"""Cuts as they stand in tables: an array of origins (``region/shard``) beside an array of batch numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from atoll.causality.cut import Cut
from atoll.ids import Origin, RegionName, ShardName
from atoll.ports import Progress


@lru_cache(maxsize=4096)
def origin_of_text(text: str) -> Origin:
    """Inverse of ``str(origin)``."""
    region, _, shard = text.partition("/")
    return Origin(RegionName(region), ShardName(shard))


def cut_of(origins: Sequence[str] | None, numbers: Sequence[int] | None) -> Cut:
    """The cut of two parallel arrays; null arrays are empty."""
    return Cut(zip(map(origin_of_text, origins or ()), numbers or (), strict=True))


def columns_of(cut: Cut) -> tuple[list[str], list[int]]:
    """Two parallel arrays, in the order of the origins."""
    entries = sorted(cut.items())
    return [str(origin) for origin, _ in entries], [number for _, number in entries]


def columns_of_both(begun: Cut, completed: Cut) -> tuple[list[str], list[int], list[int]]:
    """Three parallel arrays, in the order of the origins of ``begun``, which covers ``completed``; absent is 0."""
    origins, numbers = columns_of(begun)
    return origins, numbers, [completed.at(origin) for origin in sorted(begun)]


class ProgressReader:
    """Turns progress columns into values; cuts that did not change since the last answer are not made anew."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._raw: Any = None
        self._cuts = (Cut.EMPTY, Cut.EMPTY)

    def read(self, row: Any) -> Progress:
        """The progress in a row that has the columns of ``atoll.progress()``."""
        raw = (row["origins"], row["completed"], row["begun"])
        if raw != self._raw:
            self._cuts = (cut_of(raw[0], raw[1]), cut_of(raw[0], raw[2]))
            self._raw = raw
        applied, begun = self._cuts
        return Progress(
            origin=self._origin, captured=row["captured"], pending=row["pending"], applied=applied, begun=begun
        )
