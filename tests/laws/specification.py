"""What a record's value must be, said as sets over the writes that were seen, with no merging at all.

A history is a set of clocked writes: each with its dot, its timestamp, and the dots of the writes its author had seen
(closed under "had seen"). The functions below restate the definitions of the papers as set comprehensions: an
observed-remove set after Bieniusa et al. (2012), a register of concurrent writes, observed resets, an enable-wins
presence. They share no code with the implementation and are as slow as they are plain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from atoll.causality.dot import Dot
from atoll.crdt.operations import Add, Clear, Delete, FieldOperation, Increment, Put, Remove, Set, Update, Write
from atoll.crdt.schema import Rule, Schema


@dataclass(frozen=True)
class Clocked:
    """One write, and what its author had seen when making it."""

    dot: Dot
    timestamp: int
    write: Write
    seen: frozenset[Dot]


History = Iterable[Clocked]

_ABSENT = object()


def expected_value(history: History, schema: Schema) -> dict[str, Any] | None:
    """The value of the record after exactly these writes."""
    writes = list(history)
    if not unseen([w for w in writes if not isinstance(w.write, Delete)], [w for w in writes if _deletes(w)]):
        return None
    names = {name for w in writes for name in _names(w)}
    values = {name: FIELD_VALUE[schema.fields.get(name, Rule.LWW)](name, writes) for name in names}
    return {name: value for name, value in values.items() if value is not _ABSENT}


def unseen(effects: Iterable[Clocked], removers: Iterable[Clocked]) -> list[Clocked]:
    """The effects that no remover had seen."""
    forgotten = {dot for remover in removers for dot in remover.seen}
    return [effect for effect in effects if effect.dot not in forgotten]


def _register(name: str, writes: list[Clocked]) -> Any:
    """Of the assignments that no later write of the field had seen, the one with the greatest (timestamp, actor)."""
    written = [w for w in writes if _operations(w, name)]
    assigned = [w for w in written if isinstance(_operations(w, name)[-1], Set)]
    current = unseen(assigned, written)
    if not current:
        return _ABSENT
    return _operations(max(current, key=lambda w: (w.timestamp, w.dot.actor)), name)[-1].value  # type: ignore[union-attr]


def _counter(name: str, writes: list[Clocked]) -> Any:
    """The sum of the increments that no reset had seen."""
    resets = [w for w in writes if any(isinstance(operation, Clear) for operation in _operations(w, name))]
    counted = unseen([w for w in writes if _increments(w, name)], resets)
    if not counted:
        return _ABSENT
    return sum(Fraction(amount) for w in counted for amount in _increments(w, name))


def _set(name: str, writes: list[Clocked]) -> Any:
    """The elements with an addition that no removal of the element had seen."""
    touched = {e for w in writes for operation in _operations(w, name) for e in _elements(operation)}
    present = {
        element
        for element in touched
        if unseen([w for w in writes if _adds(w, name, element)], [w for w in writes if _removes(w, name, element)])
    }
    return frozenset(present) if present else _ABSENT


FIELD_VALUE: Mapping[Rule, Callable[[str, list[Clocked]], Any]] = {
    Rule.LWW: _register,
    Rule.COUNTER: _counter,
    Rule.ADD_WINS_SET: _set,
}


# -- what one write does to one field -----------------------------------------------------------------------------


def _deletes(w: Clocked) -> bool:
    return isinstance(w.write, Delete)


def _names(w: Clocked) -> set[str]:
    match w.write:
        case Update(operations=operations):
            return {operation.field for operation in operations}
        case Put(fields=fields):
            return set(fields)
    return set()


def _operations(w: Clocked, name: str) -> list[FieldOperation]:
    """The write as operations on one field: a put or a delete first clears what its author had seen."""
    match w.write:
        case Update(operations=operations):
            return [operation for operation in operations if operation.field == name]
        case Put(fields=fields) if name in fields:
            return [Clear(name), _assignment(name, fields[name])]
    return [Clear(name)]


def _assignment(name: str, value: Any) -> FieldOperation:
    """In these histories the type of a value tells the rule: sets for sets, Decimals and ints for counters."""
    if isinstance(value, frozenset):
        return Add(name, tuple(value))
    if name.startswith("count"):
        return Increment(name, value)
    return Set(name, value)


def _increments(w: Clocked, name: str) -> list[int | Decimal]:
    """The amounts that this write's own resets do not take back."""
    amounts: list[int | Decimal] = []
    for operation in _operations(w, name):
        if isinstance(operation, Increment):
            amounts.append(operation.amount)
        elif isinstance(operation, Clear):
            amounts.clear()
    return amounts


def _elements(operation: FieldOperation) -> tuple[Any, ...]:
    return operation.elements if isinstance(operation, (Add, Remove)) else ()


def _adds(w: Clocked, name: str, element: Any) -> bool:
    """Whether the last operation of the write that concerns the element adds it."""
    concerning = [o for o in _operations(w, name) if isinstance(o, Clear) or element in _elements(o)]
    return bool(concerning) and isinstance(concerning[-1], Add)


def _removes(w: Clocked, name: str, element: Any) -> bool:
    return any(
        isinstance(operation, Clear) or (isinstance(operation, Remove) and element in operation.elements)
        for operation in _operations(w, name)
    )
