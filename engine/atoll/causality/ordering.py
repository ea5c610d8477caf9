"""How two histories relate: the four answers of a partial order."""

from __future__ import annotations

from enum import Enum


class Ordering(Enum):
    """The outcome of ``left.compare(right)``, read as "left is ... right"."""

    EQUAL = "equal"
    BEFORE = "before"
    AFTER = "after"
    CONCURRENT = "concurrent"


def ordering(*, includes: bool, included: bool) -> Ordering:
    """The ordering of ``left`` to ``right``, given whether left includes right and right includes left."""
    if includes:
        return Ordering.EQUAL if included else Ordering.AFTER
    return Ordering.BEFORE if included else Ordering.CONCURRENT
