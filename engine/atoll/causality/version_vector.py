"""A version vector: actor to greatest counter seen, with the entrywise partial order.

What a context is when it has no gaps; and what a region's knowledge of another is, whose entrywise minimum over all
members tells what is causally stable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from atoll.causality.ordering import Ordering, ordering
from atoll.ids import Actor


class VersionVector:
    """An immutable map of actors to counters above zero; a missing actor counts as zero."""

    __slots__ = ("_counters",)

    EMPTY: ClassVar[VersionVector]

    def __init__(self, counters: Mapping[Actor, int]) -> None:
        assert all(counter >= 0 for counter in counters.values()), "counters are never negative"
        self._counters = {actor: counter for actor, counter in counters.items() if counter}

    def get(self, actor: Actor) -> int:
        """The greatest counter seen of ``actor``; 0 if none."""
        return self._counters.get(actor, 0)

    def items(self) -> Iterable[tuple[Actor, int]]:
        """The entries in the order of the actors' UTF-8 bytes."""
        return sorted(self._counters.items())

    def covers(self, dot: tuple[Actor, int]) -> bool:
        """Whether the dot is at or below the entry of its actor."""
        return dot[1] <= self.get(dot[0])

    def with_entry(self, actor: Actor, counter: int) -> VersionVector:
        """This vector with the actor's entry raised to ``counter``, if it was below."""
        return self.join(VersionVector({actor: counter}))

    def join(self, other: VersionVector) -> VersionVector:
        """The entrywise maximum: what either has seen."""
        actors = self._counters.keys() | other._counters.keys()
        return VersionVector({actor: max(self.get(actor), other.get(actor)) for actor in actors})

    def meet(self, other: VersionVector) -> VersionVector:
        """The entrywise minimum: what both have seen."""
        actors = self._counters.keys() & other._counters.keys()
        return VersionVector({actor: min(self.get(actor), other.get(actor)) for actor in actors})

    def includes(self, other: VersionVector) -> bool:
        """Whether every entry is at least that of ``other``."""
        return all(counter <= self.get(actor) for actor, counter in other._counters.items())

    def compare(self, other: VersionVector) -> Ordering:
        """Before, after, equal or concurrent, by inclusion."""
        return ordering(includes=self.includes(other), included=other.includes(self))

    def __le__(self, other: VersionVector) -> bool:
        return other.includes(self)

    def __lt__(self, other: VersionVector) -> bool:
        return other.includes(self) and self != other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VersionVector):
            return NotImplemented
        return self._counters == other._counters

    def __hash__(self) -> int:
        return hash(frozenset(self._counters.items()))

    def __bool__(self) -> bool:
        return bool(self._counters)

    def __repr__(self) -> str:
        return f"VersionVector({', '.join(f'{actor}: {counter}' for actor, counter in self.items())})"


VersionVector.EMPTY = VersionVector({})
