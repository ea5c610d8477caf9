"""The operations of one field by session, for questions about a reader's past: its last operation there, say."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from atoll.simulation.checkers.black.fields import known_until
from atoll.simulation.checkers.black.happens_before import HappensBefore
from atoll.simulation.history import Entry, Status


class Lanes:
    """Some operations by session, each session's in its order. What a reader knows of a session is a prefix."""

    __slots__ = ("_entries", "_order", "_places")

    def __init__(self, entries: Iterable[Entry], order: HappensBefore) -> None:
        self._order = order
        self._entries: dict[int, list[Entry]] = {}
        self._places: dict[int, list[int]] = {}
        for entry in entries:
            session = order.session_of[entry.index]
            self._entries.setdefault(session, []).append(entry)
            self._places.setdefault(session, []).append(order.place_of[entry.index])

    def sessions(self) -> Iterable[int]:
        """The sessions that have any."""
        return self._entries

    def known(self, reader: Entry, session: int) -> int:
        """How many of a session's entries the reader certainly knew of."""
        return bisect_right(self._places[session], self._order.known(reader.index, session))

    def part(self, session: int, begin: int, end: int) -> Sequence[Entry]:
        """Some of a session's entries."""
        return self._entries[session][begin:end]

    def last_known(self, reader: Entry) -> Iterator[Entry]:
        """Of each session the last entry that the reader certainly knew of."""
        past, own = self._order.past(reader.index), self._order.session_of[reader.index]
        for session, places in self._places.items():
            seen = self._order.known(reader.index, session) if session == own else past[session]
            if seen >= places[-1]:
                yield self._entries[session][-1]
            elif seen >= places[0]:
                yield self._entries[session][bisect_right(places, seen) - 1]

    def first_after(self, entry: Entry) -> Iterator[tuple[int, int]]:
        """Of each session the place of the first entry that certainly knew of ``entry``, if there is one."""
        for session, entries in self._entries.items():
            low, high = 0, len(entries)
            while low < high:
                middle = (low + high) // 2
                if self._order.before(entry, entries[middle]):
                    high = middle
                else:
                    low = middle + 1
            if low < len(entries):
                yield session, self._places[session][low]


class Removers:
    """Operations that take away what they have seen: when one could first have taken away a given addition.

    One that had ended before the addition began cannot have seen it; what it had not seen, it does not remove.
    """

    __slots__ = ("_earliest", "_ends")

    def __init__(self, removals: Iterable[Entry]) -> None:
        by_end = sorted(removals, key=known_until)
        self._ends = [known_until(entry) for entry in by_end]
        self._earliest = [math.inf] * (len(by_end) + 1)
        for at in range(len(by_end) - 1, -1, -1):
            self._earliest[at] = min(self._earliest[at + 1], by_end[at].began)

    def threat(self, addition: Entry) -> float:
        """The earliest beginning of a removal that may have seen the addition; infinity if there is none."""
        return self._earliest[bisect_right(self._ends, addition.began)]


def is_certain(entry: Entry, order: HappensBefore) -> bool:
    """Whether an entry that stands in somebody's past has happened.

    It is acknowledged; or its outcome is unknown, so that it ends its session and is in a past only if it was seen.
    """
    return entry.status is Status.OK or order.is_last(entry)
