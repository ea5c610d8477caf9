"""A record: fields that each merge by their own rule, under one causal context.

State and delta are one type (delta-state CRDTs, Almeida, Shoker, Baquero 2016): :meth:`Record.apply` returns the
delta of a write, :meth:`Record.join` is the only merge. A record's existence is a presence of its own (an enable-wins
flag): every write but a delete enables it, a delete removes the presence and the entries it has seen, so a concurrent
update survives with its own effects. A deleted record keeps its context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from atoll.causality.context import Context
from atoll.causality.dot import Dot
from atoll.crdt.entries import NOTHING_REMOVED, Entries, Knowledge, Removed, join_entries, removals
from atoll.crdt.operations import Delete, Write
from atoll.crdt.plan import plan_write
from atoll.crdt.registry import LWW, RULE_OF_CODE
from atoll.crdt.schema import Schema
from atoll.crdt.value import json_default, value_to_json
from atoll.errors import CorruptFrame, ValueTooLarge
from atoll.instant import ZERO, Timestamp
from atoll.limits import FIELDS_MAX

FieldState = tuple[int, Any]
"""The wire code of the field's rule, and the rule's payload."""

PRESENCE: Final = ""
"""Stands for the record's presence among field names, which are never empty."""

_NO_REMOVALS: Final[dict[str, Removed]] = {}


class Record:
    """An immutable state or delta. ``removed`` is empty in a state that holds all it depends on."""

    __slots__ = ("context", "fields", "presence", "removed")

    fields: Mapping[str, FieldState]
    presence: Entries
    context: Context
    removed: Mapping[str, Removed]

    def __init__(
        self,
        fields: Mapping[str, FieldState],
        presence: Entries,
        context: Context,
        removed: Mapping[str, Removed] = _NO_REMOVALS,
    ) -> None:
        """Take ownership of the parts, which must be canonical: see :meth:`check_invariants`."""
        self.fields = fields
        self.presence = presence
        self.context = context
        self.removed = removed

    @classmethod
    def empty(cls) -> Record:
        """The record that was never written: the bottom of the lattice."""
        return _EMPTY

    # -- writing --------------------------------------------------------------------------------------------------

    def apply(self, write: Write, dot: Dot, timestamp: Timestamp, schema: Schema) -> Record:
        """The delta of ``write``; this record is unchanged, and joined with the delta it is the record after it.

        ``dot`` must be fresh: greater than any counter that this record has seen of its actor. Raises
        :class:`WrongRule`, :class:`InvalidValue`, :class:`UnknownField` or :class:`InvalidName`; then nothing is
        to be stored and the dot may be used again.
        """
        previous = self._check_fresh(dot)
        fields: dict[str, FieldState] = {}
        removed: dict[str, Removed] = {}
        count = len(self.fields)
        for field, rule, operations in plan_write(write, self.fields, schema):
            state = self.fields.get(field)
            after, delta, gone = rule.apply(field, operations, state[1] if state else rule.empty, dot, timestamp)
            if delta:
                fields[field] = (rule.code, delta)
            if gone:
                removed[field] = gone
            count += bool(after) - (state is not None)
        if self.presence:
            removed[PRESENCE] = removals(None, self.presence)
        _check_growth(len(self.fields), count)
        return Record(fields, _presence(write, dot), Context.of_interval(dot.actor, previous, dot.counter), removed)

    def apply_and_join(self, write: Write, dot: Dot, timestamp: Timestamp, schema: Schema) -> Record:
        """The record after ``write``: ``self.join(self.apply(...))`` at a third of the cost, for the writer.

        A fresh delta is above everything here and removes only what is here: a field that the write does not touch
        stays as it is, and no removal of the write stays pending.
        """
        if self.removed:
            return self.join(self.apply(write, dot, timestamp, schema))
        previous = self._check_fresh(dot)
        fields = dict(self.fields)
        for field, rule, operations in plan_write(write, self.fields, schema):
            state = self.fields.get(field)
            after, _, _ = rule.apply(field, operations, state[1] if state else rule.empty, dot, timestamp)
            if after:
                fields[field] = (rule.code, after)
            else:
                fields.pop(field, None)
        _check_growth(len(self.fields), len(fields))
        context = self.context.with_interval(dot.actor, previous, dot.counter)
        return Record(fields, _presence(write, dot), context)

    def _check_fresh(self, dot: Dot) -> int:
        """The greatest counter seen of the dot's actor; the dot must be above it."""
        previous = self.context.highest(dot.actor)
        assert dot.counter > previous, f"the dot {dot} is not above {previous}, which this record has seen (I2)"
        return previous

    # -- merging --------------------------------------------------------------------------------------------------

    def join(self, other: Record) -> Record:
        """The least record above both: commutative, associative, idempotent.

        A state is a function of the writes joined into it, so whichever side includes the other's context is the
        answer. Raises :class:`CorruptFrame` if the two hold one field under different rules.
        """
        if self.context.includes(other.context):
            return self
        if other.context.includes(self.context):
            return other
        return self.merge(other)

    def merge(self, other: Record) -> Record:
        """:meth:`join` without the short cut for comparable contexts."""
        context = self.context.join(other.context)
        fields = dict(self.fields)
        names = other.fields.keys() | other.removed.keys()
        if self.context.overlaps(other.context):
            names |= self.fields.keys()
        # Otherwise the other side covers none of our dots: only fields that it names can change.
        for field in names:
            if field != PRESENCE:
                _join_field(fields, field, self, other)
        my, their = _knowledge(self, PRESENCE), _knowledge(other, PRESENCE)
        presence = join_entries(None, self.presence, other.presence, my, their)
        return Record(fields, presence, context, _still_removed(self, other, context))

    # -- reading --------------------------------------------------------------------------------------------------

    def value(self) -> dict[str, Any] | None:
        """What a reader sees: live fields in the order of their names; ``None`` if the record is absent.

        The lists and maps in it are the reader's own.
        """
        found = self._value()
        if found:
            for field, value in found.items():
                if type(value) is list or type(value) is dict:
                    found[field] = _copy(value)
        return found

    def document(self) -> bytes | None:
        """The value as readable JSON (see :mod:`atoll.crdt.value`), ``None`` if the record is absent."""
        found = self._value()
        if found is None:
            return None
        try:
            return orjson.dumps(found, default=json_default)
        except TypeError:  # a counter beyond 64 bits, which only the slow path writes
            return orjson.dumps(value_to_json(found))

    def lww_candidates(self, field: str) -> list[tuple[Dot, Timestamp, Any]]:
        """The winner of an ``lww`` field, then the concurrent writes that lost to it; empty for other fields."""
        code, payload = self.fields.get(field, (0, ()))
        return LWW.candidates(payload) if code == LWW.code else []

    def latest(self) -> Timestamp:
        """The greatest timestamp in the record, for the clock of whoever writes it next; 0 if there is none."""
        stamps = [LWW.latest(payload) for code, payload in self.fields.values() if code == LWW.code]
        return max(stamps, default=ZERO)

    def _value(self) -> dict[str, Any] | None:
        found = {}
        for field in sorted(self.fields):
            code, payload = self.fields[field]
            rule = RULE_OF_CODE[code]
            if rule.is_alive(payload):
                found[field] = rule.value(payload)
        return found if found or self.presence else None

    # -- as a value -----------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return (
            self.context == other.context
            and self.presence == other.presence
            and self.fields == other.fields
            and self.removed == other.removed
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        removed = {name: sorted(self.removed[name], key=repr) for name in sorted(self.removed)}
        return f"Record({self.value()}, {self.context}{f', removed={removed}' if removed else ''})"

    def check_invariants(self) -> None:
        """Assert what every reachable state keeps; tests and simulations call it after each step."""
        self.context.check_invariants()
        for actor, counter, *_ in self.presence:
            assert self.context.has(actor, counter), "the presence is a write that was seen"
        for field, (code, payload) in self.fields.items():
            assert field, "a field has a name"
            assert payload, f"the field {field} is bottom, and bottom is not stored"
            if code == LWW.code:
                assert all(self.context.has(entry[0], entry[1]) for entry in payload), f"{field}: an unseen write"
        for field, gone in self.removed.items():
            assert gone, f"{field} removes nothing, and nothing is not stored"
            assert not any(self.context.has(actor, counter) for _, actor, counter in gone), f"{field}: settled"


_EMPTY: Final = Record({}, (), Context.EMPTY)


def _copy(value: Any) -> Any:
    if type(value) is list:
        return [_copy(item) for item in value]
    if type(value) is dict:
        return {key: _copy(item) for key, item in value.items()}
    return value


def _presence(write: Write, dot: Dot) -> Entries:
    return () if isinstance(write, Delete) else ((dot.actor, dot.counter),)


def _check_growth(before: int, after: int) -> None:
    """Refuse to add fields beyond the limit; a record that concurrent writes took beyond it can still be changed."""
    if after > FIELDS_MAX and after > before:
        raise ValueTooLarge(f"the record would have {after} fields, more than the {FIELDS_MAX} allowed")


def _knowledge(record: Record, field: str) -> Knowledge:
    return Knowledge(record.context, record.removed.get(field, NOTHING_REMOVED))


def _join_field(fields: dict[str, FieldState], field: str, mine: Record, theirs: Record) -> None:
    my_state, their_state = mine.fields.get(field), theirs.fields.get(field)
    known = my_state or their_state
    if known is None:
        return
    code = known[0]
    if my_state and their_state and my_state[0] != their_state[0]:
        raise CorruptFrame(
            f"the field {field!r} follows rule {RULE_OF_CODE[my_state[0]].name} on one side and "
            f"{RULE_OF_CODE[their_state[0]].name} on the other; the rule of a field never changes"
        )
    rule = RULE_OF_CODE[code]
    payload = rule.join(
        my_state[1] if my_state else rule.empty,
        their_state[1] if their_state else rule.empty,
        _knowledge(mine, field),
        _knowledge(theirs, field),
    )
    if payload:
        fields[field] = (code, payload)
    else:
        fields.pop(field, None)


def _still_removed(mine: Record, theirs: Record, context: Context) -> Mapping[str, Removed]:
    """The removals of either side whose write the joined context does not cover yet."""
    if not mine.removed and not theirs.removed:
        return _NO_REMOVALS
    pending = {}
    for field in mine.removed.keys() | theirs.removed.keys():
        gone = mine.removed.get(field, NOTHING_REMOVED) | theirs.removed.get(field, NOTHING_REMOVED)
        if left := frozenset([removal for removal in gone if not context.has(removal[1], removal[2])]):
            pending[field] = left
    return pending or _NO_REMOVALS
