"""A causal context: the writes of one record that a replica has seen, gaps included.

Per actor a context is a set of counters, held as half-open intervals ``(lo, hi]``. The interval that begins at zero
is the version-vector part ("anchored"); the rest are dots beyond gaps ("detached"). A write by ``actor`` with counter
``n`` on a record that has seen the actor up to ``prev`` covers ``(prev, n]``: the actor made no other write of this
record in between, whatever the shard's counter did for other records. So joins compress exactly, and a gap that is
left is a write that is really missing.

Almeida, Shoker, Baquero, *Delta State Replicated Data Types* (2016), §7.2: a hole must stay a hole. A context that
covers a dot says "I know what became of that write", so a covered hole would act as a delete.
"""

from __future__ import annotations

import itertools
from typing import ClassVar, Final

from atoll.causality.intervals import Intervals, contains, includes, overlap, union
from atoll.causality.ordering import Ordering, ordering
from atoll.ids import Actor

_NO_GAPS: Final[dict[Actor, Intervals]] = {}


class Context:
    """An immutable set of dots with join as union; ``<=`` is inclusion and a partial order."""

    __slots__ = ("_anchored", "_detached")

    EMPTY: ClassVar[Context]

    def __init__(self, anchored: dict[Actor, int], detached: dict[Actor, Intervals] = _NO_GAPS) -> None:
        """Take ownership of both maps, which must be canonical: see :meth:`check_invariants`."""
        self._anchored = anchored
        self._detached = detached

    @classmethod
    def of_interval(cls, actor: Actor, lo: int, hi: int) -> Context:
        """The context that covers the actor's dots in ``(lo, hi]`` and nothing else."""
        assert 0 <= lo < hi, "an interval (lo, hi] holds at least one counter above zero"
        return cls({}, {actor: ((lo, hi),)}) if lo else cls({actor: hi})

    # -- questions ------------------------------------------------------------------------------------------------

    def get(self, actor: Actor) -> int:
        """The greatest counter up to which all of the actor's writes were seen; 0 if none."""
        return self._anchored.get(actor, 0)

    def highest(self, actor: Actor) -> int:
        """The greatest counter of the actor that was seen, gaps or not; 0 if none."""
        if actor in self._detached:
            return self._detached[actor][-1][1]
        return self._anchored.get(actor, 0)

    def intervals(self, actor: Actor) -> Intervals:
        """All that was seen of the actor, as canonical intervals."""
        anchored: Intervals = ((0, self._anchored[actor]),) if actor in self._anchored else ()
        return anchored + self._detached.get(actor, ())

    def covers(self, dot: tuple[Actor, int]) -> bool:
        """Whether the write was seen: its effect is in the state beside this context, or was removed."""
        return self.has(dot[0], dot[1])

    def has(self, actor: Actor, counter: int) -> bool:
        """:meth:`covers` for a dot in two parts; the hot path of every join."""
        if counter <= self._anchored.get(actor, 0):
            return True
        return actor in self._detached and contains(self._detached[actor], counter)

    def actors(self) -> tuple[Actor, ...]:
        """Every actor seen, in the order of their UTF-8 bytes."""
        if self._detached:
            return tuple(sorted({*self._anchored, *self._detached}))
        return tuple(sorted(self._anchored))

    @property
    def is_contiguous(self) -> bool:
        """Whether there is no gap, so that the context is a plain version vector."""
        return not self._detached

    def __bool__(self) -> bool:
        return bool(self._anchored or self._detached)

    # -- the lattice ----------------------------------------------------------------------------------------------

    def join(self, other: Context) -> Context:
        """All dots of either; commutative, associative, idempotent."""
        if not self._detached and not other._detached:
            return Context(_greatest(self._anchored, other._anchored))
        anchored = dict(self._anchored)
        detached = dict(self._detached)
        for actor in other._anchored.keys() | other._detached.keys():
            merged = union(self.intervals(actor), other.intervals(actor))
            _store(anchored, detached, actor, merged)
        return Context(anchored, detached)

    def with_interval(self, actor: Actor, lo: int, hi: int) -> Context:
        """This context with the actor's dots in ``(lo, hi]`` added."""
        assert 0 <= lo < hi, "an interval (lo, hi] holds at least one counter above zero"
        if actor not in self._detached and lo <= self._anchored.get(actor, 0):
            return Context({**self._anchored, actor: max(hi, self.get(actor))}, self._detached)
        return self.join(Context.of_interval(actor, lo, hi))

    def includes(self, other: Context) -> bool:
        """Whether this context is a superset of ``other``."""
        if self is other:
            return True
        mine = self._anchored
        if not self._detached:
            if not all(counter <= mine.get(actor, 0) for actor, counter in other._anchored.items()):
                return False
            return all(parts[-1][1] <= mine.get(actor, 0) for actor, parts in other._detached.items())
        return all(includes(self.intervals(actor), other.intervals(actor)) for actor in other.actors())

    def overlaps(self, other: Context) -> bool:
        """Whether some dot is in both."""
        if not self._detached and not other._detached:
            return not self._anchored.keys().isdisjoint(other._anchored)
        shared = (self._anchored.keys() | self._detached.keys()) & (other._anchored.keys() | other._detached.keys())
        return any(overlap(self.intervals(actor), other.intervals(actor)) for actor in shared)

    def compare(self, other: Context) -> Ordering:
        """Before, after, equal or concurrent, by inclusion."""
        return ordering(includes=self.includes(other), included=other.includes(self))

    def __le__(self, other: Context) -> bool:
        return other.includes(self)

    def __lt__(self, other: Context) -> bool:
        return other.includes(self) and self != other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Context):
            return NotImplemented
        return self._anchored == other._anchored and self._detached == other._detached

    def __hash__(self) -> int:
        return hash((frozenset(self._anchored.items()), frozenset(self._detached.items())))

    def __repr__(self) -> str:
        parts = (f"{actor}: {_describe(self.intervals(actor))}" for actor in self.actors())
        return f"Context({', '.join(parts)})"

    def check_invariants(self) -> None:
        """Assert the canonical form: equal sets of dots are equal contexts."""
        assert all(counter > 0 for counter in self._anchored.values()), "an anchored part ends above zero"
        for actor, parts in self._detached.items():
            assert parts, f"{actor} has an empty detached part"
            ends = [self.get(actor), *(end for part in parts for end in part)]
            assert all(low < high for low, high in itertools.pairwise(ends)), f"{actor} is not canonical"


Context.EMPTY = Context({})


def _greatest(left: dict[Actor, int], right: dict[Actor, int]) -> dict[Actor, int]:
    joined = dict(left)
    for actor, counter in right.items():
        if counter > joined.get(actor, 0):
            joined[actor] = counter
    return joined


def _store(anchored: dict[Actor, int], detached: dict[Actor, Intervals], actor: Actor, parts: Intervals) -> None:
    if parts[0][0] == 0:
        anchored[actor] = parts[0][1]
        parts = parts[1:]
    if parts:
        detached[actor] = parts
    else:
        detached.pop(actor, None)


def _describe(parts: Intervals) -> str:
    if len(parts) == 1 and parts[0][0] == 0:
        return str(parts[0][1])
    return " ".join(f"({lo}, {hi}]" for lo, hi in parts)
