"""Which operation certainly knew of which: session order, reads-from and what was told, closed transitively.

Every operation has a vector: per session, how many of its operations are in the past. One pass over the history in a
topological order of the direct edges keeps the vectors (Bouajjani, Enea, Guerraoui, Hamza, *On Verifying Causal
Consistency*, POPL 2017, in the fast form for unique values). Edges are only those that are certain, so a missing edge
can hide a violation and never make one:

- within a session, each operation before the next. A session ends with an operation of unknown outcome;
- from a write to a read that saw its value, if no other write could have made it;
- from the entry that a client heard of to the entry that heard, if the teller still had its token then.

In a ring that has converged, the last reads know of everything that was acknowledged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from atoll.simulation.history import Entry, History, Status


class HappensBefore:
    """The order of one history. Entries are named by their index."""

    def __init__(
        self, history: History, sources: Mapping[int, Sequence[int]], *, told: bool = True, complete: bool = False
    ) -> None:
        """``sources``: the writes that each read certainly saw. ``told``: whether hearing from others counts.
        ``complete``: whether the last reads know of everything acknowledged."""
        assert all(entry.index == index for index, entry in enumerate(history)), "indexes are places in the history"
        self.history = history
        self.sessions: dict[str, int] = {}
        self._members: list[list[int]] = []
        self.session_of: list[int] = []
        self.place_of: list[int] = []
        self._previous: list[int | None] = []
        self._lay_out()
        self.incoming = [list(sources.get(index, ())) for index in range(len(history))]
        if told:
            self._add_hearsay()
        self.cycle: Sequence[Entry] = ()
        """Entries that each know of the next and of themselves in the end; empty if there is no such circle."""
        self._pasts: list[list[int]] = [[] for _ in history]
        self._informed = [False] * len(history)
        self._close(self._complete() if complete else None)

    # -- asking ---------------------------------------------------------------------------------------------------

    def before(self, first: Entry, second: Entry) -> bool:
        """Whether ``second`` certainly knew of ``first``."""
        return self.known(second.index, self.session_of[first.index]) >= self.place_of[first.index]

    def known(self, index: int, session: int) -> int:
        """How many operations of a session are in the past of an entry."""
        if session == self.session_of[index]:
            return max(self.place_of[index] - 1, self._pasts[index][session])
        return self._pasts[index][session]

    def past(self, index: int) -> Sequence[int]:
        """:meth:`known` for every session but the entry's own."""
        return self._pasts[index]

    def is_informed(self, entry: Entry) -> bool:
        """Whether hearsay is in the entry's past, its own or that of whoever it read from."""
        return self._informed[entry.index]

    def is_last(self, entry: Entry) -> bool:
        """Whether the entry ends its session."""
        return self._members[self.session_of[entry.index]][-1] == entry.index

    def at(self, session: int, place: int) -> Entry:
        """The entry at a place (from 1) of a session."""
        return self.history[self._members[session][place - 1]]

    def successor_edges(self) -> Sequence[Sequence[int]]:
        """The direct edges, for searches: for each entry those that know of it directly."""
        edges: list[list[int]] = [[] for _ in self.history]
        for index, sources in enumerate(self.incoming):
            for source in sources:
                edges[source].append(index)
            previous = self._previous[index]
            if previous is not None:
                edges[previous].append(index)
        return edges

    # -- edges ----------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        for entry in self.history:
            session = self.sessions.setdefault(entry.session, len(self.sessions))
            if session == len(self._members):
                self._members.append([])
            members = self._members[session]
            self._previous.append(members[-1] if members else None)
            members.append(entry.index)
            self.session_of.append(session)
            self.place_of.append(len(members))

    def _add_hearsay(self) -> None:
        retired = self._retirements()
        for entry in self.history:
            if entry.heard is None or not 0 <= entry.heard < len(self.history):
                continue
            teller = self.history[entry.heard]
            still_knew = retired.get(teller.session, entry.ended + 1) > entry.ended
            if teller.status is Status.OK and still_knew and teller.ended <= entry.ended:
                self.incoming[entry.index].append(entry.heard)

    def _retirements(self) -> dict[str, float]:
        """When sessions began to be given up: their clients' tokens are empty from then on."""
        retired: dict[str, float] = {}
        for entry in self.history:
            if entry.status is Status.UNKNOWN or entry.error == "not_answered":
                retired.setdefault(entry.session, entry.ended)
        return retired

    # -- closure --------------------------------------------------------------------------------------------------

    def _close(self, complete: list[int] | None) -> None:
        waiting = self._indegrees()
        edges = self.successor_edges()
        ready = deque(index for index, count in enumerate(waiting) if not count)
        done = 0
        while ready:
            index = ready.popleft()
            done += 1
            self._settle(index, complete)
            for successor in edges[index]:
                waiting[successor] -= 1
                if not waiting[successor]:
                    ready.append(successor)
        if done < len(waiting):
            self._break_circles([index for index, count in enumerate(waiting) if count], complete)

    def _indegrees(self) -> list[int]:
        return [
            len(sources) + (previous is not None)
            for sources, previous in zip(self.incoming, self._previous, strict=True)
        ]

    def _break_circles(self, stuck: Sequence[int], complete: list[int] | None) -> None:
        """Tell one circle, and go on without the edges into what is stuck, but for those of its sessions."""
        self.cycle = self._circle(stuck)
        for index in stuck:
            self.incoming[index] = []
        for index in stuck:
            self._settle(index, complete)

    def _circle(self, stuck: Sequence[int]) -> Sequence[Entry]:
        among = set(stuck)
        path: list[int] = []
        index = stuck[0]
        while index not in path:
            path.append(index)
            previous = self._previous[index]
            before = [*self.incoming[index], *([] if previous is None else [previous])]
            index = next(source for source in before if source in among)
        return [self.history[at] for at in reversed(path[path.index(index) :])]

    def _settle(self, index: int, complete: list[int] | None) -> None:
        previous = self._previous[index]
        past = [0] * len(self.sessions) if previous is None else self._pasts[previous]
        if complete is not None and self.history[index].final:
            past = list(map(max, past, complete))
        fresh = False
        heard = self.history[index].heard
        before = self.incoming[index] if previous is None else [previous, *self.incoming[index]]
        self._informed[index] = any(self._informed[at] or at == heard for at in before)
        for source in self.incoming[index]:
            session, place = self.session_of[source], self.place_of[source]
            if session == self.session_of[index] or past[session] >= place:
                continue
            joined = map(max, past, self._pasts[source])
            if fresh:
                past[:] = joined
            else:
                past, fresh = list(joined), True
            past[session] = place
        self._pasts[index] = past

    def _complete(self) -> list[int]:
        """Everything acknowledged before the last reads began."""
        ends = min((entry.began for entry in self.history if entry.final), default=0.0)
        past = [0] * len(self.sessions)
        for entry in self.history:
            if entry.status is Status.OK and not entry.final and entry.ended <= ends:
                past[self.session_of[entry.index]] = self.place_of[entry.index]
        return past
