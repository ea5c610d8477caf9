"""Positions: bytes on the one keyspace line, computed from a record's identity by its collection's strategy.

A position is the zone's name, a zero byte, then what the strategy adds: eight bytes of hash for ``hash`` and
``hybrid``; order-preserving key bytes are reserved for ``range`` and ``geo``. Zone names hold no zero byte, so the
positions of one zone are one contiguous range and sort by zone first. The hash is XXH3-64 with seed 0 over the
key's UTF-8 bytes, big-endian: frozen, since every region computes it alone.
"""

from __future__ import annotations

from xxhash import xxh3_64_digest

from atoll.ids import ZoneName
from atoll.keyspace.key_range import KeyRange

HASH_BYTES = 8


def hashed_position(zone: ZoneName, key: str) -> bytes:
    """The position of a key placed by ``hash`` or ``hybrid``."""
    return zone.encode() + b"\0" + xxh3_64_digest(key.encode())


def zone_range(zone: ZoneName) -> KeyRange:
    """All positions of a zone."""
    head = zone.encode()
    return KeyRange(head + b"\0", head + b"\1")


def zone_of(position: bytes) -> ZoneName:
    """The zone a position lies in."""
    return ZoneName(position[: position.index(b"\0")].decode())
