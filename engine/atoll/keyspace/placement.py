"""Placement: from a record's identity to its position, one function per strategy.

:data:`STRATEGIES` is the registry; ``range`` and ``geo`` join it with their own function and nothing else changes,
since split, move and digest know only ranges of positions. A strategy is given the zone that :func:`resolve_zone`
settled and a key that :func:`check_key` accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from atoll.errors import InvalidKey, UnknownZone
from atoll.ids import GLOBAL_ZONE, ZoneName
from atoll.keyspace.position import hashed_position
from atoll.keyspace.topology import Collection, Strategy
from atoll.limits import KEY_BYTES_MAX

STRATEGIES: Mapping[Strategy, Callable[[ZoneName, str], bytes]] = {
    Strategy.HASH: hashed_position,
    Strategy.HYBRID: hashed_position,
}
"""How each strategy lays a key out inside its zone."""


def place(collection: Collection, zone: ZoneName | None, key: str) -> bytes:
    """The position of a record.

    Raises :class:`InvalidKey` for a key that is not storable text and :class:`UnknownZone` when the zone is missing
    or contradicts the collection's own. Whether the zone exists is the topology's business.
    """
    check_key(key)
    return STRATEGIES[collection.strategy](resolve_zone(collection, zone), key)


def resolve_zone(collection: Collection, zone: ZoneName | None) -> ZoneName:
    """The zone of a record: the collection's fixed one, ``global`` for ``hash``, else the one the caller names."""
    implied = collection.zone or (GLOBAL_ZONE if collection.strategy is Strategy.HASH else None)
    if implied is None:
        if not zone:
            raise UnknownZone(
                f"collection {collection.name!r} is placed by zone: name the record's zone (or its country)"
            )
        return zone
    if zone and zone != implied:
        raise UnknownZone(
            f"collection {collection.name!r} keeps all records in zone {implied!r}, not {zone!r}: leave the zone out"
        )
    return implied


def check_key(key: str) -> str:
    """Return ``key`` if a shard can hold it; raise :class:`InvalidKey` saying what is wrong with it."""
    if not isinstance(key, str):
        raise InvalidKey(f"a key is text, not {type(key).__name__}")
    if not key:
        raise InvalidKey("a key may not be empty")
    if "\0" in key:
        raise InvalidKey(f"a key may not hold the character NUL, which Postgres cannot store: {key[:40]!r}")
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:
        raise InvalidKey(f"a key may not hold a lone surrogate, which is not text: {key[:40]!r}") from None
    if size_bytes > KEY_BYTES_MAX:
        raise InvalidKey(
            f"a key may have {KEY_BYTES_MAX:,} bytes of UTF-8; this one has {size_bytes:,}: {key[:40]!r}..."
        )
    return key
