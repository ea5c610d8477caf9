"""A cut: how many batches of every shard of every region have been seen.

``Cut`` is the vector (region, shard) → batch number of the design: the progress of a region, the dependency of a
batch, the content of a session token. Absent entries are zero. Cuts form a lattice under entrywise maximum.
Akkoorath et al., *Cure: Strong Semantics Meets High Availability and Low Latency* (ICDCS 2016), with one entry per
shard instead of one per data centre.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import msgpack

from atoll.errors import CorruptFrame
from atoll.ids import Origin, RegionName, ShardName


class Cut(Mapping[Origin, int]):
    """An immutable vector of batch numbers. Numbers are positive; an absent origin reads as zero by :meth:`at`."""

    EMPTY: ClassVar[Cut]
    __slots__ = ("_numbers",)

    def __init__(self, numbers: Mapping[Origin, int] | Iterable[tuple[Origin, int]] = ()) -> None:
        given: dict[Origin, int] = dict(numbers)
        self._numbers = {origin: number for origin, number in given.items() if number > 0}

    @classmethod
    def _of(cls, numbers: dict[Origin, int]) -> Cut:
        """A cut that takes ``numbers`` over, which are positive."""
        cut = cls.__new__(cls)
        cut._numbers = numbers
        return cut

    def at(self, origin: Origin) -> int:
        """The batch number of ``origin`` that is covered; 0 if none."""
        return self._numbers.get(origin, 0)

    def covers(self, other: Cut) -> bool:
        """Whether everything that ``other`` has seen is seen here too."""
        mine = self._numbers
        return not [origin for origin, number in other._numbers.items() if mine.get(origin, 0) < number]

    def join(self, other: Cut) -> Cut:
        """Entrywise maximum: what both together have seen."""
        mine, theirs = self._numbers, other._numbers
        newer = {o: n for o, n in theirs.items() if mine.get(o, 0) < n}
        return Cut._of({**mine, **newer}) if newer else self

    def meet(self, other: Cut) -> Cut:
        """Entrywise minimum: what both have seen."""
        theirs = other._numbers
        return Cut._of({o: min(n, theirs[o]) for o, n in self._numbers.items() if o in theirs})

    def missing(self, required: Cut) -> Cut:
        """The entries of ``required`` that are not covered here."""
        mine = self._numbers
        return Cut._of({o: n for o, n in required._numbers.items() if mine.get(o, 0) < n})

    def advanced(self, origin: Origin, number: int) -> Cut:
        """This cut with ``origin`` raised to at least ``number``."""
        return self if self.at(origin) >= number else Cut._of({**self._numbers, origin: number})

    def without_region(self, region: RegionName) -> Cut:
        """This cut without the entries of ``region``'s own shards."""
        return Cut._of({o: n for o, n in self._numbers.items() if o.region != region})

    def encode(self) -> bytes:
        """Canonical msgpack: a list of ``[region, shard, number]`` in order; ``b""`` for the empty cut."""
        if not self._numbers:
            return b""
        packed: bytes = msgpack.packb([[o.region, o.shard, n] for o, n in sorted(self._numbers.items())])
        return packed

    @staticmethod
    def decode(encoded: bytes) -> Cut:
        """Inverse of :meth:`encode`; raises :class:`CorruptFrame` on anything else."""
        if not encoded:
            return Cut.EMPTY
        try:
            return Cut._of({_origin(r, s): _number(n) for r, s, n in msgpack.unpackb(encoded)})
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise CorruptFrame(f"a cut of {len(encoded)} bytes does not decode: {error}") from error

    def describe(self) -> str:
        """One line for people: ``frankfurt/s1:17 tokyo/s2:4``, or ``nothing``."""
        return " ".join(f"{o}:{n}" for o, n in sorted(self._numbers.items())) or "nothing"

    def items(self) -> ItemsView[Origin, int]:
        return self._numbers.items()

    def __getitem__(self, origin: Origin) -> int:
        return self._numbers[origin]

    def __iter__(self) -> Iterator[Origin]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cut) and self._numbers == other._numbers

    def __hash__(self) -> int:
        return hash(frozenset(self._numbers.items()))

    def __repr__(self) -> str:
        return f"<Cut {self.describe()}>"


def meet_all(cuts: Iterable[Cut]) -> Cut:
    """Entrywise minimum of several cuts: a region's cut over its shards. The empty cut if there are none."""
    iterator = iter(cuts)
    result = next(iterator, Cut.EMPTY)
    for cut in iterator:
        result = result.meet(cut)
    return result


def join_all(cuts: Iterable[Cut]) -> Cut:
    """Entrywise maximum of several cuts."""
    result = Cut.EMPTY
    for cut in cuts:
        result = result.join(cut)
    return result


def _origin(region: Any, shard: Any) -> Origin:
    if not isinstance(region, str) or not isinstance(shard, str):
        raise TypeError("an origin is two names")
    return Origin(RegionName(region), ShardName(shard))


def _number(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"batch number {number!r} is not positive")
    return number


Cut.EMPTY = Cut()
