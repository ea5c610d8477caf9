"""Reads of sets against their causal past: elements that must be there, and elements that must not.

The specification of an add-wins set: an element is there if some visible addition of it was seen by no visible
removal. A reader sees at least its causal past and at most what had begun before it ended, which leaves

- *must be there*: an addition in the past that no removal begun before the read's end can have seen;
- *must not be there*: every addition begun before the read's end was in the past of an acknowledged removal that is
  in the reader's past.

Everything between the two may be either way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from atoll.simulation.checkers.black.contradictions import Contradiction, Kind
from atoll.simulation.checkers.black.fields import Field, elements_of, same
from atoll.simulation.checkers.black.happens_before import HappensBefore
from atoll.simulation.checkers.black.lanes import Lanes, Removers, is_certain
from atoll.simulation.checkers.black.provenance import writers
from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action


def contradictions(field: Field, order: HappensBefore) -> Iterator[Contradiction]:
    """All reads of the set that contradict their past; a session's standing loss is told once."""
    removals = _Removals(field)
    yield from _missing(field, order, removals)
    if field.removals:
        yield from _present(field, order, removals)


class _Removals:
    """The removals that concern one element: its own, and those of the whole field."""

    def __init__(self, field: Field) -> None:
        self._own: dict[Any, list[Entry]] = {}
        self._all: list[Entry] = []
        for entry in field.removals:
            if entry.planned.action is Action.REMOVE:
                self._own.setdefault(same(entry.planned.argument), []).append(entry)
            else:
                self._all.append(entry)

    def of(self, element: Any) -> list[Entry]:
        """In the order of beginnings."""
        own = self._own.get(element, [])
        return sorted([*own, *self._all], key=lambda entry: entry.index) if own and self._all else own or self._all


# -- what must be there -------------------------------------------------------------------------------------------


class _Reader:
    """What one session's next read of the field must show. It only learns more."""

    __slots__ = ("lasting", "learned", "threatened")

    def __init__(self) -> None:
        self.learned: dict[int, int] = {}
        """How many additions of each session it knows."""
        self.lasting: dict[Any, Entry] = {}
        """Elements that nothing can ever have removed."""
        self.threatened: dict[Any, tuple[float, Entry]] = {}
        """Elements that must be there in reads that end before a moment."""

    def learn(self, addition: Entry, threat: float) -> None:
        """Another addition is in the past."""
        element = same(addition.planned.argument)
        if math.isinf(threat):
            self.lasting.setdefault(element, addition)
        elif element not in self.threatened or self.threatened[element][0] < threat:
            self.threatened[element] = (threat, addition)

    def missing(self, read: Entry, shown: frozenset[Any]) -> Iterable[tuple[Any, Entry]]:
        """The elements that the read must show and does not."""
        over = [element for element, (threat, _) in self.threatened.items() if threat < read.ended]
        for element in over:
            del self.threatened[element]
        gone = self.lasting.keys() - shown
        found = [(element, self.lasting[element]) for element in gone]
        found += [(e, addition) for e, (_, addition) in self.threatened.items() if e not in shown and e not in gone]
        return sorted(found, key=lambda pair: pair[1].index)

    def forget(self, element: Any) -> None:
        """It has been told."""
        self.lasting.pop(element, None)
        self.threatened.pop(element, None)


def _missing(field: Field, order: HappensBefore, removals: _Removals) -> Iterator[Contradiction]:
    lanes = Lanes([entry for entry in field.additions if is_certain(entry, order)], order)
    removers: dict[Any, Removers] = {}
    readers: dict[str, _Reader] = {}

    def threat(addition: Entry) -> float:
        element = same(addition.planned.argument)
        if element not in removers:
            removers[element] = Removers(removals.of(element))
        return removers[element].threat(addition)

    for read in field.reads:
        reader = readers.setdefault(read.session, _Reader())
        for session in lanes.sessions():
            known, learned = lanes.known(read, session), reader.learned.get(session, 0)
            if known > learned:
                reader.learned[session] = known
                for addition in lanes.part(session, learned, known):
                    reader.learn(addition, threat(addition))
        shown = frozenset(map(same, elements_of(read)))
        for element, addition in reader.missing(read, shown):
            reader.forget(element)
            yield Contradiction(field=field, read=read, witness=addition, kind=Kind.MISSING)


# -- what must not be there ---------------------------------------------------------------------------------------


class _Support:
    """The additions of one element, and which removals each of them was seen by."""

    def __init__(self, additions: Iterable[Entry], removals: Iterable[Entry], order: HappensBefore) -> None:
        self._order = order
        self.additions = sorted(additions, key=lambda entry: entry.began)
        lanes = Lanes([entry for entry in removals if entry.status is Status.OK], order)
        self._enders: Mapping[int, list[tuple[int, int]]] = {
            addition.index: list(lanes.first_after(addition)) for addition in self.additions
        }
        lasting = [addition.began for addition in self.additions if not self._enders[addition.index]]
        self.safe_from = min(lasting, default=math.inf)
        """From when on there is an addition that no removal has certainly seen."""

    def undone(self, read: Entry) -> tuple[Entry, Entry] | None:
        """The newest addition and the removal that ended it, if every possible addition was ended for the read."""
        newest: tuple[Entry, Entry] | None = None
        for addition in reversed(self.additions):
            if addition.began >= read.ended:
                continue
            ender = self._ender(addition, read)
            if ender is None:
                return None
            newest = newest or (addition, ender)
        return newest

    def _ender(self, addition: Entry, read: Entry) -> Entry | None:
        for session, place in self._enders[addition.index]:
            if self._order.known(read.index, session) >= place:
                return self._order.at(session, place)
        return None


def _present(field: Field, order: HappensBefore, removals: _Removals) -> Iterator[Contradiction]:
    supports = {
        element: _Support(additions, removals.of(element), order) for element, additions in writers(field).items()
    }
    told: set[tuple[str, Any]] = set()
    for read in field.reads:
        for element in map(same, elements_of(read)):
            support = supports.get(element)
            if support is None or support.safe_from < read.ended or (read.session, element) in told:
                continue
            undone = support.undone(read)
            if undone is not None:
                told.add((read.session, element))
                addition, removal = undone
                yield Contradiction(field=field, read=read, witness=removal, kind=Kind.PRESENT, undone=addition)
