"""A committed row, taken apart: which dot it is, what its author had seen, and what it did to each field.

The effects are read off the difference between the record before and after on the shard where it was written; the
decoding is the engine's, the difference is not. One row may hold several operations, each with a dot of its own; they
share what they had seen, so that the row's greatest dot stands for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from atoll.causality.context import Context
from atoll.crdt.record import Record
from atoll.crdt.registry import RULE_OF_CODE
from atoll.crdt.schema import Rule
from atoll.ids import Actor, Origin, RecordId
from atoll.ports import RowWrite

Dot = tuple[Actor, int]
Vector = Mapping[Actor, int]


@dataclass(frozen=True, slots=True)
class Assignment:
    """An ``lww`` field was assigned, or cleared if there is no ``entry``: ``(actor, counter, timestamp, value)``."""

    entry: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Membership:
    """Elements of an ``add_wins_set`` were added, each with its dot's counter, or lost all that was seen of them."""

    added: Mapping[Any, int]
    removed: frozenset[Any]


@dataclass(frozen=True, slots=True)
class Amount:
    """A ``counter`` was incremented by ``amount``, which is ``None`` if nothing of it counts, after a ``reset`` of
    all that was seen."""

    amount: int | Fraction | None
    reset: bool


Effect = Assignment | Membership | Amount


@dataclass(slots=True, kw_only=True, eq=False)
class RecordedWrite:
    """One row of one local transaction."""

    place: int
    """In the order of commits, over all shards."""
    at: float
    shard: Origin
    transaction: int
    id: RecordId
    row: RowWrite
    actor: Actor
    counter: int
    previous: int
    """The actor's greatest counter that the author had seen of this record: it covers ``(previous, counter]``."""
    context: Context
    seen: Vector
    """What the author had seen, as the greatest counter of each actor."""
    dots: frozenset[Dot] = frozenset()
    """The dots of this row that its state shows, with its greatest."""
    strangers: tuple[Actor, ...] = ()
    """Other actors of whom the new context covers more than the previous one."""
    deletes: bool = False
    effects: Mapping[str, Effect] = field(default_factory=dict)
    is_known: bool = True
    """Whether the state before was known, so that there are effects."""
    batch: int = 0
    """The batch of its shard that carries it; 0 before it is captured."""

    def __str__(self) -> str:
        name = f"{self.id.collection}/{self.id.key}"
        return f"the write {self.actor}:{self.counter} of {name} (transaction {self.transaction} at {self.at:.3f} s)"


def vector_of(context: Context) -> Vector:
    """The greatest counter of each actor."""
    return {actor: context.highest(actor) for actor in context.actors()}


def effects_of(before: Record, after: Record, actor: Actor, previous: int) -> dict[str, Effect]:
    """What the write did to each field that differs."""
    found: dict[str, Effect] = {}
    for name in sorted({*before.fields, *after.fields}):
        old, new = before.fields.get(name), after.fields.get(name)
        if old == new:
            continue
        code = (new or old or (0, ()))[0]
        found[name] = _effect(RULE_OF_CODE[code].name, old and old[1], new and new[1], actor, previous)
    return found


def _effect(rule: Rule, old: Any, new: Any, actor: Actor, previous: int) -> Effect:
    match rule:
        case Rule.LWW:
            fresh = [entry for entry in new or () if entry[0] == actor and entry[1] > previous]
            return Assignment(fresh[-1] if fresh else None)
        case Rule.ADD_WINS_SET:
            return _membership(old or {}, new or {}, actor, previous)
        case Rule.COUNTER:
            return _amount(old or (), new or (), actor, previous)


def _membership(old: Mapping[Any, Any], new: Mapping[Any, Any], actor: Actor, previous: int) -> Membership:
    added = {
        element: dot[1] for element, dots in new.items() for dot in dots if dot[0] == actor and dot[1] > previous
    }
    return Membership(added, frozenset(element for element in old if element not in new))


def _amount(old: Any, new: Any, actor: Actor, previous: int) -> Amount:
    before = {row.actor: row for row in old}
    is_reset = any(row.seen != (before[row.actor].seen if row.actor in before else 0) for row in new)
    mine = next((row for row in new if row.actor == actor and row.dot > previous and row.dot > row.seen), None)
    if mine is None:
        return Amount(None, is_reset)
    earlier = before[actor].total if actor in before else 0
    return Amount(_difference(mine.total, mine.base if is_reset else earlier), is_reset)


def _difference(left: int | Decimal, right: int | Decimal) -> int | Fraction:
    if isinstance(left, int) and isinstance(right, int):
        return left - right
    return Fraction(left) - Fraction(right)  # Decimals would round


def fresh_dots(after: Record, actor: Actor, previous: int) -> set[Dot]:
    """The dots of ``actor`` above ``previous`` that a state shows."""
    counters = [entry[1] for entry in after.presence if entry[0] == actor]
    for code, payload in after.fields.values():
        match RULE_OF_CODE[code].name:
            case Rule.LWW:
                counters += [entry[1] for entry in payload if entry[0] == actor]
            case Rule.ADD_WINS_SET:
                counters += [dot[1] for dots in payload.values() for dot in dots if dot[0] == actor]
            case Rule.COUNTER:
                counters += [row.dot for row in payload if row.actor == actor]
    return {(actor, counter) for counter in counters if counter > previous}
