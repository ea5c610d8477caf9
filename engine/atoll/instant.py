"""Hybrid timestamps: wall-clock milliseconds in the high bits, a logical counter in the low sixteen.

A :data:`Timestamp` is one 64-bit integer, so that comparing two is one comparison, a column holds it as ``bigint``
and msgpack as an integer. Kulkarni et al., *Logical Physical Clocks* (2014).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NewType

Timestamp = NewType("Timestamp", int)

LOGICAL_BITS = 16
LOGICAL_MAX = (1 << LOGICAL_BITS) - 1
ZERO = Timestamp(0)


def timestamp(wall_ms: int, logical: int = 0) -> Timestamp:
    """Pack milliseconds since 1970 and a logical counter (0 to 65,535)."""
    assert 0 <= logical <= LOGICAL_MAX, "the logical counter overflowed; the clock must advance the wall part"
    return Timestamp(wall_ms << LOGICAL_BITS | logical)


def wall_ms(stamp: Timestamp) -> int:
    """The wall-clock part, in milliseconds since 1970."""
    return stamp >> LOGICAL_BITS


def logical(stamp: Timestamp) -> int:
    """The logical part: how many events share the wall-clock part before this one."""
    return stamp & LOGICAL_MAX


def as_datetime(stamp: Timestamp) -> datetime:
    """The wall-clock part as an aware UTC datetime, for people to read."""
    return datetime.fromtimestamp(wall_ms(stamp) / 1000, UTC)
