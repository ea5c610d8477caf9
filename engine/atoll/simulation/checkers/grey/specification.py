"""What a record's value must be after a set of writes, with no merging: sets over writes and what they had seen.

Each rule says which effects count: those that no *remover* among the writes had seen. For a register a remover is
any write of the field, for an element a removal of it, for an increment a reset, for the record itself a deletion.
The definitions are those of Bieniusa et al., *An Optimized Conflict-free Replicated Set* (2012), and of an observed
reset; they share no code with the merge rules. What was seen is compared as version vectors, so writes must have
been made on contexts without holes; the causality checker sees to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from atoll.crdt.schema import Rule
from atoll.ids import Actor
from atoll.simulation.checkers.grey.writes import Amount, Assignment, Effect, Membership, RecordedWrite

Touching = Sequence[tuple[RecordedWrite, Any]]
"""The writes that touched one field, each with its effect."""


def value_after(writes: Sequence[RecordedWrite]) -> dict[str, Any] | None:
    """The record's value, ``None`` if it is absent. ``writes`` hold all that any of them had seen."""
    fields = _by_field(writes)
    value = {name: found[0] for name in sorted(fields) if (found := _value(fields[name]))}
    deletions = [write for write in writes if write.deletes]
    exists = unseen([write for write in writes if not write.deletes], deletions)
    return value if value or exists else None


def unseen(effects: Iterable[RecordedWrite], removers: Iterable[RecordedWrite]) -> list[RecordedWrite]:
    """The effects that no remover had seen."""
    forgotten = _forgotten(removers)
    return [write for write in effects if write.counter > forgotten.get(write.actor, 0)]


def siblings(touching: Touching) -> list[tuple[Any, ...]]:
    """The assignments of a register that no write of the field had seen, weakest first: the last one wins."""
    forgotten = _forgotten(write for write, _ in touching)
    entries = [
        effect.entry
        for write, effect in touching
        if effect.entry is not None and write.counter > forgotten.get(write.actor, 0)
    ]
    return sorted(entries, key=lambda entry: (entry[2], entry[0], entry[1]))


def touching_field(writes: Iterable[RecordedWrite], name: str) -> Touching:
    """The writes with an effect on a field."""
    return [(write, write.effects[name]) for write in writes if name in write.effects]


def rule_of(effect: Effect) -> Rule:
    """The merge rule of the field on which a write had this effect."""
    match effect:
        case Assignment():
            return Rule.LWW
        case Membership():
            return Rule.ADD_WINS_SET
        case Amount():
            return Rule.COUNTER


# -- the rules ----------------------------------------------------------------------------------------------------


def _value(touching: Touching) -> tuple[Any] | None:
    """The field's value, wrapped, since it may be ``None`` itself; ``None`` if the field is absent."""
    return _VALUES[rule_of(touching[0][1])](touching)


def _register(touching: Touching) -> tuple[Any] | None:
    current = siblings(touching)
    return (current[-1][3],) if current else None


def _set(touching: Touching) -> tuple[Any] | None:
    removers: dict[Any, list[RecordedWrite]] = {}
    for write, effect in touching:
        for element in effect.removed:
            removers.setdefault(element, []).append(write)
    forgotten = {element: _forgotten(found) for element, found in removers.items()}
    present = [
        element
        for write, effect in touching
        for element in effect.added
        if write.counter > forgotten.get(element, {}).get(write.actor, 0)
    ]
    return (frozenset(present),) if present else None


def _counter(touching: Touching) -> tuple[Any] | None:
    forgotten = _forgotten(write for write, effect in touching if effect.reset)
    counted = [
        effect.amount
        for write, effect in touching
        if effect.amount is not None and write.counter > forgotten.get(write.actor, 0)
    ]
    return (sum(counted),) if counted else None


_VALUES = {Rule.LWW: _register, Rule.ADD_WINS_SET: _set, Rule.COUNTER: _counter}


# -- small parts --------------------------------------------------------------------------------------------------


def _forgotten(removers: Iterable[RecordedWrite]) -> Mapping[Actor, int]:
    """Per actor, up to which counter any remover had seen its writes."""
    seen: dict[Actor, int] = {}
    for remover in removers:
        for actor, counter in remover.seen.items():
            if counter > seen.get(actor, 0):
                seen[actor] = counter
    return seen


def _by_field(writes: Iterable[RecordedWrite]) -> Mapping[str, Touching]:
    found: dict[str, list[tuple[RecordedWrite, Any]]] = {}
    for write in writes:
        for name, effect in write.effects.items():
            found.setdefault(name, []).append((write, effect))
    return found
