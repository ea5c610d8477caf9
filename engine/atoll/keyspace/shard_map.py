"""The shard map of a region: which shard owns which range of the keyspace line, at which epoch.

A :class:`ShardMap` is an immutable value with a version. Its assignments are sorted and disjoint; gaps are the
positions the region does not hold (zones it may not host). It is a cache of the truth: the shard's own ownership
row decides whether a write commits (promise I6), so an old map costs a redirect and never a wrong write.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from atoll.errors import CorruptCatalog, SchemaMismatch
from atoll.ids import ShardName, ZoneName
from atoll.keyspace.key_range import KeyRange
from atoll.keyspace.position import HASH_BYTES, zone_range
from atoll.limits import INITIAL_RANGES_PER_SHARD

_FORMAT = 1
_HASH_SPACE = 1 << (8 * HASH_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One range and the shard that owns it. ``epoch`` counts the range's changes of hands, from 1."""

    range: KeyRange
    shard: ShardName
    epoch: int

    def __str__(self) -> str:
        return f"{self.range} -> {self.shard} (epoch {self.epoch})"


@dataclass(frozen=True, slots=True)
class ShardMap:
    """A version (from 1) of the map. ``assignments`` are in order of position and do not overlap."""

    version: int
    assignments: Sequence[Assignment]
    _lows: Sequence[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        problem = _problem(self.version, self.assignments)
        assert problem is None, problem
        object.__setattr__(self, "assignments", tuple(self.assignments))
        object.__setattr__(self, "_lows", [assignment.range.low for assignment in self.assignments])

    def locate(self, position: bytes) -> Assignment | None:
        """The assignment that holds ``position``; ``None`` in a gap. One bisect: flat up to 100,000 ranges."""
        index = bisect_right(self._lows, position) - 1
        if index < 0:
            return None
        found = self.assignments[index]
        high = found.range.high
        return found if high is None or position < high else None

    def locate_all(self, positions: Iterable[bytes]) -> list[Assignment | None]:
        """:meth:`locate` for each of ``positions``, in their order."""
        return [self.locate(position) for position in positions]

    def ranges_of(self, shard: ShardName) -> list[KeyRange]:
        """The ranges of one shard, in order of position."""
        return [assignment.range for assignment in self.assignments if assignment.shard == shard]

    def assigned_within(self, within: KeyRange) -> list[Assignment]:
        """The assignments that share a position with ``within``, whole, in order of position."""
        first = max(bisect_right(self._lows, within.low) - 1, 0)
        end = len(self._lows) if within.high is None else bisect_left(self._lows, within.high)
        return [a for a in self.assignments[first:end] if a.range.overlaps(within)]

    def shards(self) -> list[ShardName]:
        """The shards that own at least one range, by name."""
        return sorted({assignment.shard for assignment in self.assignments})

    def encode(self) -> dict[str, Any]:
        """The map as a JSON document for the catalog: positions in hexadecimal, ``null`` for the end of the line."""
        return {
            "format": _FORMAT,
            "version": self.version,
            "assignments": [_encode_assignment(assignment) for assignment in self.assignments],
        }

    @staticmethod
    def decode(document: Mapping[str, Any]) -> ShardMap:
        """Inverse of :meth:`encode`.

        Raises :class:`SchemaMismatch` for a document of a later format and :class:`CorruptCatalog` for anything
        that :meth:`encode` cannot have written.
        """
        try:
            if document["format"] > _FORMAT:
                raise SchemaMismatch(
                    f"the shard map has format {document['format']}; this node reads {_FORMAT}: upgrade it"
                )
            version = document["version"]
            assignments = [_decode_assignment(entry) for entry in document["assignments"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorruptCatalog(f"the shard map in the catalog does not decode: {error!r}") from error
        if problem := _problem(version, assignments):
            raise CorruptCatalog(f"the shard map in the catalog contradicts itself: {problem}")
        return ShardMap(version, assignments)

    def describe(self) -> str:
        """One line per range for people, under a line that counts ranges by shard."""
        counts = Counter(assignment.shard for assignment in self.assignments)
        shares = ", ".join(f"{shard}: {count}" for shard, count in sorted(counts.items())) or "empty"
        head = f"shard map version {self.version}, {len(self.assignments)} ranges ({shares})"
        return "\n".join([head, *(f"  {assignment}" for assignment in self.assignments)])

    def __repr__(self) -> str:
        return f"<ShardMap version {self.version}, {len(self.assignments)} ranges over {', '.join(self.shards())}>"


def initial_map(hosted_zones: Iterable[ZoneName], shards: Sequence[ShardName]) -> ShardMap:
    """The first map of a region: every hosted zone cut evenly over the hash space and dealt out to the shards.

    Each shard gets :data:`~atoll.limits.INITIAL_RANGES_PER_SHARD` ranges of each zone, interleaved, so that a later
    move has whole ranges to take. Version 1, every epoch 1. The same arguments give the same map.
    """
    assert shards, "a region has at least one shard"
    assert len(set(shards)) == len(shards), "shard names are distinct"
    assignments: list[Assignment] = []
    for zone in sorted(set(hosted_zones)):
        ranges = _even_ranges(zone, INITIAL_RANGES_PER_SHARD * len(shards))
        assignments += [
            Assignment(range=piece, shard=shards[index % len(shards)], epoch=1) for index, piece in enumerate(ranges)
        ]
    return ShardMap(1, assignments)


def _even_ranges(zone: ZoneName, count: int) -> list[KeyRange]:
    whole = zone_range(zone)
    inner = [whole.low + (index * _HASH_SPACE // count).to_bytes(HASH_BYTES, "big") for index in range(1, count)]
    return [KeyRange(low, high) for low, high in pairwise([whole.low, *inner, whole.high or b""])]


def _problem(version: int, assignments: Sequence[Assignment]) -> str | None:
    """What is wrong with a map, or ``None``."""
    if version < 1:
        return f"map versions count from 1, not {version}"
    for assignment in assignments:
        if assignment.epoch < 1:
            return f"epochs count from 1: {assignment}"
    for left, right in pairwise(assignments):
        if left.range.high is None or right.range.low < left.range.high:
            return f"ranges out of order or overlapping: {left}, then {right}"
    return None


def _encode_assignment(assignment: Assignment) -> list[Any]:
    high = assignment.range.high
    return [assignment.range.low.hex(), None if high is None else high.hex(), assignment.shard, assignment.epoch]


def _decode_assignment(entry: Sequence[Any]) -> Assignment:
    low, high, shard, epoch = entry
    if not isinstance(shard, str) or not isinstance(epoch, int):
        raise TypeError(f"a shard and an epoch expected, not {shard!r} and {epoch!r}")
    low_position, high_position = bytes.fromhex(low), None if high is None else bytes.fromhex(high)
    if high_position is not None and high_position <= low_position:
        raise ValueError(f"empty range {low}..{high}")
    return Assignment(range=KeyRange(low_position, high_position), shard=ShardName(shard), epoch=epoch)
