"""``add_wins_set``: a set where an addition survives every removal that has not seen it.

Observed-remove set without tombstones, Bieniusa et al., *An Optimized Conflict-free Replicated Set* (2012): an
element is present while it holds the dot of an addition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from atoll.causality.dot import Dot
from atoll.crdt.entries import NOTHING_REMOVED, Entries, Knowledge, Removed, join_entries, removals
from atoll.crdt.operations import Add, Clear, FieldOperation, Remove
from atoll.crdt.packing import ELEMENT_RANK, is_stored_form, sorted_elements
from atoll.crdt.rule import MergeRule
from atoll.crdt.schema import Rule
from atoll.crdt.value import check_element
from atoll.errors import WrongRule
from atoll.ids import Actor
from atoll.instant import Timestamp
from atoll.limits import INTEGER_MAX

Elements = Mapping[Any, Entries]
"""Element to the dots of its additions that are not removed; never an empty tuple."""


class AddWinsSet(MergeRule[Elements]):
    """Elements are str, bytes, int, UUID, date or datetime: types with one canonical order and hash."""

    name = Rule.ADD_WINS_SET
    code = 3
    allowed = "add or remove elements, clear it, or put the whole record with a list in it"
    empty: Elements = MappingProxyType({})

    def apply(
        self,
        field: str,
        operations: Sequence[FieldOperation],
        payload: Elements,
        dot: Dot,
        timestamp: Timestamp,  # noqa: ARG002
    ) -> tuple[Elements, Elements, Removed]:
        wanted: dict[Any, bool] = {}
        for operation in operations:
            match operation:
                case Add(elements=elements):
                    wanted.update(dict.fromkeys(_checked(field, elements), True))
                case Remove(elements=elements):
                    wanted.update(dict.fromkeys(_checked(field, elements), False))
                case Clear():
                    wanted.update(dict.fromkeys((*payload, *wanted), False))
                case _:
                    raise self.refuse(operation)
        fresh: Entries = ((dot.actor, dot.counter),)
        delta = {element: fresh for element, present in wanted.items() if present}
        gone = [removals(element, payload[element]) for element in wanted if element in payload]
        kept = {element: dots for element, dots in payload.items() if element not in wanted}
        return {**kept, **delta}, delta, NOTHING_REMOVED.union(*gone)

    def replacement(self, field: str, value: Any) -> tuple[FieldOperation, ...]:
        if not isinstance(value, (set, frozenset, list, tuple)):
            raise WrongRule(f"field {field!r} is a {self.name}: put a set of elements, not {type(value).__name__}")
        return (Clear(field), Add(field, tuple(value)))

    def join(self, mine: Elements, theirs: Elements, my: Knowledge, their: Knowledge) -> Elements:
        joined = {}
        for element, dots in mine.items():
            if kept := join_entries(element, dots, theirs.get(element, ()), my, their):
                joined[element] = kept
        for element, dots in theirs.items():
            if element not in mine and (kept := join_entries(element, (), dots, my, their)):
                joined[element] = kept
        return joined

    def is_alive(self, payload: Elements) -> bool:
        return bool(payload)

    def value(self, payload: Elements) -> Any:
        return frozenset(payload)

    def actors(self, payload: Elements) -> set[Actor]:
        return {dot[0] for dots in payload.values() for dot in dots}

    def pack(self, payload: Elements, index: dict[Actor, int]) -> list[Any]:
        body: list[Any] = []
        for element in sorted_elements(payload):
            for actor, counter in payload[element]:
                body += (element, index[actor], counter)
        return body

    def unpack(self, body: list[Any], actors: dict[int, Actor]) -> Elements:
        payload: dict[Any, Entries] = {}
        parts = iter(body)
        for element, position, counter in zip(parts, parts, parts, strict=True):
            if type(element) not in ELEMENT_RANK or not is_stored_form(element):
                raise ValueError("a set holds something that is not an element")
            if type(counter) is not int or not 0 < counter <= INTEGER_MAX:
                raise ValueError("the dot of an element is out of bounds")
            before = payload.get(element, ())
            dot = (actors[position], counter)
            if before and before[-1] >= dot:
                raise ValueError("the dots of an element are not in order")
            payload[element] = (*before, dot)
        if not payload or list(payload) != sorted_elements(payload):
            raise ValueError("the elements of a set are not in order")
        return payload


def _checked(field: str, elements: Iterable[Any]) -> list[Any]:
    if not isinstance(elements, (tuple, list, set, frozenset)):
        raise WrongRule(f"field {field!r}: elements are given as a tuple, not {type(elements).__name__}")
    return [check_element(element, f"fields.{field} (an element)") for element in elements]
