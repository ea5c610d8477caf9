"""The parts that all services share: cuts, errors, names."""

from __future__ import annotations

from collections.abc import Iterable

from atoll.causality.cut import Cut
from atoll.errors import AtollError, CorruptFrame, from_code
from atoll.ids import Origin, RegionName, ShardName
from atoll.wire.v1 import types_pb2

BATCH_NUMBER_MAX = (1 << 63) - 1
"""Batch numbers live in signed 64-bit columns."""


def encode_cut(cut: Cut) -> list[types_pb2.CutEntry]:
    """The entries in order of origin."""
    return [
        types_pb2.CutEntry(region=origin.region, shard=origin.shard, number=number)
        for origin, number in sorted(cut.items())
    ]


def decode_cut(entries: Iterable[types_pb2.CutEntry]) -> Cut:
    """Inverse of :func:`encode_cut`; raises :class:`CorruptFrame` for a number that no batch can have."""
    return Cut(
        {Origin(RegionName(entry.region), ShardName(entry.shard)): batch_number(entry.number) for entry in entries}
    )


def batch_number(number: int) -> int:
    """``number`` if a batch may have it, or 0; raises :class:`CorruptFrame` otherwise."""
    if number > BATCH_NUMBER_MAX:
        raise CorruptFrame(f"{number} is not a batch number")
    return number


def encode_error(error: AtollError) -> types_pb2.Error:
    return types_pb2.Error(code=error.code, message=error.message)


def decode_error(error: types_pb2.Error) -> AtollError:
    """The same class that was raised, if this version knows it."""
    return from_code(error.code, error.message)
