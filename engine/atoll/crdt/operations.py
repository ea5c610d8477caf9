"""What a write asks for, as pure data. One write is one dot, however many fields it touches.

Operations carry no checks of their own: the merge rule of the field accepts or refuses them when the write is
applied, so that a client, a node and the simulator refuse alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Set:
    """Replace the value of an ``lww`` field."""

    field: str
    value: Any


@dataclass(frozen=True, slots=True)
class Increment:
    """Add ``amount``, which may be negative or zero, to a ``counter``."""

    field: str
    amount: int | Decimal = 1


@dataclass(frozen=True, slots=True)
class Add:
    """Add elements to an ``add_wins_set``."""

    field: str
    elements: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove elements from an ``add_wins_set``: those additions that this replica has seen."""

    field: str
    elements: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Clear:
    """Undo what this replica has seen of a field: remove the value, empty the set, reset the counter."""

    field: str


FieldOperation = Set | Increment | Add | Remove | Clear


@dataclass(frozen=True, slots=True)
class Update:
    """Apply operations in order, as one; the record exists afterwards, whatever they were."""

    operations: tuple[FieldOperation, ...] = ()


@dataclass(frozen=True, slots=True)
class Put:
    """Replace the record as this replica has seen it: afterwards it holds exactly ``fields``."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the record as this replica has seen it; a concurrent write survives with its own effects."""


Write = Put | Delete | Update
