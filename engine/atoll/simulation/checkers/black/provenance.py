"""Where the values that reads saw came from: from which write, or from nowhere.

A read certainly saw a write if no other write could have made its value. Counters tell nothing of single writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from atoll.crdt.schema import Rule
from atoll.simulation.checkers.black.fields import Field, elements_of, same
from atoll.simulation.history import Entry


class Oddity(StrEnum):
    """What can be wrong with a value by itself, whatever else the reader knew."""

    NOWHERE = "value from nowhere"
    """Nobody ever wrote it (ThinAirRead)."""
    REFUSED = "refused write took effect"
    """Only a write that was refused for certain could have made it."""
    FUTURE = "value from the future"
    """The read had ended before the write began."""
    TWICE = "element listed twice"
    """A set holds it more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """A value that should not be there."""

    field: Field
    read: Entry
    value: Any
    oddity: Oddity
    write: Entry | None = None


@dataclass(slots=True)
class Provenance:
    """What is known of all reads."""

    sources: dict[int, list[int]] = field(default_factory=dict)
    """For each read the writes that it certainly saw; of a set only those that the session's read before did not."""
    odd: list[Odd] = field(default_factory=list)


def provenance(fields: Iterable[Field]) -> Provenance:
    """The sources of all reads."""
    found = Provenance()
    for one in fields:
        match one.rule:
            case Rule.LWW:
                _registers(one, found)
            case Rule.ADD_WINS_SET:
                _sets(one, found)
            case Rule.COUNTER:
                pass
    return found


def writers(one: Field) -> Mapping[Any, Sequence[Entry]]:
    """The additions by what they bring, in the order of beginnings."""
    found: dict[Any, list[Entry]] = {}
    for entry in one.additions:
        found.setdefault(same(entry.planned.argument), []).append(entry)
    return found


def _registers(one: Field, found: Provenance) -> None:
    by_value = writers(one)
    for read in one.reads:
        if read.value is not None:
            _trace(one, read, read.value, by_value, found)


def _sets(one: Field, found: Provenance) -> None:
    by_value = writers(one)
    before: dict[str, frozenset[Any]] = {}
    for read in one.reads:
        elements = elements_of(read)
        values = {same(element): element for element in elements}
        if len(values) < len(elements):
            found.odd += _twice(one, read, elements)
        known = before.get(read.session, frozenset())
        now = frozenset(values)
        before[read.session] = now
        for element in elements if not known else [values[key] for key in values if key not in known]:
            _trace(one, read, element, by_value, found)


def _trace(one: Field, read: Entry, value: Any, by_value: Mapping[Any, Sequence[Entry]], found: Provenance) -> None:
    candidates = by_value.get(same(value), ())
    if not candidates:
        found.odd.append(_unwritten(one, read, value))
    elif all(write.began >= read.ended for write in candidates):
        found.odd.append(Odd(field=one, read=read, value=value, oddity=Oddity.FUTURE, write=candidates[0]))
    elif len(candidates) == 1:
        found.sources.setdefault(read.index, []).append(candidates[0].index)


def _unwritten(one: Field, read: Entry, value: Any) -> Odd:
    wanted = same(value)
    refused = next((entry for entry in one.refused if same(entry.planned.argument) == wanted), None)
    oddity = Oddity.REFUSED if refused else Oddity.NOWHERE
    return Odd(field=one, read=read, value=value, oddity=oddity, write=refused)


def _twice(one: Field, read: Entry, elements: Sequence[Any]) -> Iterator[Odd]:
    counts = Counter(same(element) for element in elements)
    told = set()
    for element in elements:
        if counts[same(element)] > 1 and same(element) not in told:
            told.add(same(element))
            yield Odd(field=one, read=read, value=element, oddity=Oddity.TWICE)
