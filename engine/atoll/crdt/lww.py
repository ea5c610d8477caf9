"""``lww``: a register where, of concurrent writes, the greatest hybrid timestamp wins, ties by actor.

All causally concurrent entries are kept until a write that has seen them replaces them: vectors decide what is
concurrent, the timestamp only breaks the tie, and the losers remain to be reported. (Dropping losers at once would
not be associative: a loser may have removed an entry that the winner has not.)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from atoll.causality.dot import Dot
from atoll.crdt.entries import Entries, Knowledge, Removed, join_entries, removals
from atoll.crdt.operations import Clear, FieldOperation, Set
from atoll.crdt.packing import is_stored_form
from atoll.crdt.rule import MergeRule
from atoll.crdt.schema import Rule
from atoll.crdt.value import check_value
from atoll.ids import Actor
from atoll.instant import Timestamp
from atoll.limits import INTEGER_MAX


class LastWriterWins(MergeRule[Entries]):
    """Payload: entries ``(actor, counter, timestamp, value)``; one unless writes were concurrent."""

    name = Rule.LWW
    code = 1
    allowed = "assign a value, or clear it"
    empty: Entries = ()

    def apply(
        self, field: str, operations: Sequence[FieldOperation], payload: Entries, dot: Dot, timestamp: Timestamp
    ) -> tuple[Entries, Entries, Removed]:
        delta: Entries = ()
        for operation in operations:
            if type(operation) is Set:
                value = check_value(operation.value, f"fields.{field}")
                delta = ((dot.actor, dot.counter, timestamp, value),)
            elif type(operation) is Clear:
                delta = ()
            else:
                raise self.refuse(operation)
        return delta, delta, removals(None, payload)

    def replacement(self, field: str, value: Any) -> tuple[FieldOperation, ...]:
        return (Set(field, value),)

    def join(self, mine: Entries, theirs: Entries, my: Knowledge, their: Knowledge) -> Entries:
        return join_entries(None, mine, theirs, my, their)

    def is_alive(self, payload: Entries) -> bool:
        return bool(payload)

    def value(self, payload: Entries) -> Any:
        return payload[0][3] if len(payload) == 1 else max(payload, key=_strength)[3]

    def candidates(self, payload: Entries) -> list[tuple[Dot, Timestamp, Any]]:
        """The winner, then the entries that lost to it, strongest first; more than one only after concurrency."""
        ranked = sorted(payload, key=_strength, reverse=True)
        return [(Dot(actor, counter), timestamp, value) for actor, counter, timestamp, value in ranked]

    def latest(self, payload: Entries) -> Timestamp:
        """The greatest timestamp in the payload, which is not empty."""
        latest: Timestamp = max(entry[2] for entry in payload)
        return latest

    def actors(self, payload: Entries) -> set[Actor]:
        return {entry[0] for entry in payload}

    def pack(self, payload: Entries, index: dict[Actor, int]) -> list[Any]:
        if len(payload) == 1:
            ((actor, counter, timestamp, value),) = payload
            return [index[actor], counter, timestamp, value]
        return [part for actor, *rest in payload for part in (index[actor], *rest)]

    def unpack(self, body: list[Any], actors: dict[int, Actor]) -> Entries:
        if len(body) == 4:  # nearly every register: no concurrent writes
            return (_entry(body, actors),)
        entries = tuple(_entry(body[at : at + 4], actors) for at in range(0, len(body), 4))
        if not entries or any(left[:2] >= right[:2] for left, right in itertools.pairwise(entries)):
            raise ValueError("the entries of a register are empty or not in order")
        return entries


def _strength(entry: tuple[Any, ...]) -> tuple[Timestamp, Actor, int]:
    return (entry[2], entry[0], entry[1])


def _entry(body: list[Any], actors: dict[int, Actor]) -> tuple[Any, ...]:
    position, counter, timestamp, value = body
    if (
        type(counter) is type(timestamp) is int
        and 0 < counter <= INTEGER_MAX
        and 0 <= timestamp <= INTEGER_MAX
        and is_stored_form(value)
    ):
        return (actors[position], counter, timestamp, value)
    raise ValueError("an entry of a register is malformed or out of bounds")
