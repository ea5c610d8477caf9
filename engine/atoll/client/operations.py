"""Words for updates: ``db.update("cities", key, atoll.increment("visits"), atoll.add("tags", "capital"))``."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from atoll.crdt.operations import Add, Clear, Increment, Remove, Set


def assign(field: str, value: Any) -> Set:
    """Replace the value of an ``lww`` field."""
    return Set(field, value)


def increment(field: str, amount: int | Decimal = 1) -> Increment:
    """Add ``amount``, which may be negative, to a ``counter``."""
    return Increment(field, amount)


def add(field: str, *elements: Any) -> Add:
    """Add elements to an ``add_wins_set``."""
    return Add(field, elements)


def remove(field: str, *elements: Any) -> Remove:
    """Remove elements from an ``add_wins_set``, as far as their additions have been seen."""
    return Remove(field, elements)


def clear(field: str) -> Clear:
    """Undo what has been seen of a field: remove the value, empty the set, reset the counter."""
    return Clear(field)
