"""The names of things: regions, shards, records, and the actors that write them.

Names are short lower-case words so that they can stand in a position on the keyspace line, in a dot, in a
metric label and in a URL without quoting. Everything here is a value: hashable, ordered, cheap to copy.
"""

from __future__ import annotations

import re
from typing import NamedTuple, NewType

from atoll.errors import InvalidName

RegionName = NewType("RegionName", str)
NodeName = NewType("NodeName", str)
ShardName = NewType("ShardName", str)
ZoneName = NewType("ZoneName", str)
CollectionName = NewType("CollectionName", str)

Actor = NewType("Actor", str)
"""``region/shard/incarnation``: the only one that mints dots for what that shard writes (promise I2)."""

GLOBAL_ZONE = ZoneName("global")
"""The zone of collections that are placed without geography; every region may hold it unless configured."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class Origin(NamedTuple):
    """A shard as its peers see it: the source of one dense stream of batches."""

    region: RegionName
    shard: ShardName

    def __str__(self) -> str:
        return f"{self.region}/{self.shard}"


class RecordId(NamedTuple):
    """The identity of a record, in the order of the shard's primary key; the zone is the head of ``position``."""

    position: bytes
    collection: CollectionName
    key: str


def check_name(kind: str, name: str) -> str:
    """Return ``name`` if it is a legal name; raise :class:`InvalidName` saying what a legal one looks like."""
    if _NAME.fullmatch(name) is None:
        raise InvalidName(
            f"{kind} name {name!r} is not allowed: use 1 to 32 of a-z, 0-9, '-' and '_', beginning with a letter"
        )
    return name


def actor_of(origin: Origin, incarnation: int) -> Actor:
    """The actor that mints dots for ``origin`` in its ``incarnation`` (1 or more)."""
    assert incarnation >= 1, "incarnations count from one"
    return Actor(f"{origin.region}/{origin.shard}/{incarnation}")


def origin_of(actor: Actor) -> Origin:
    """The origin an actor belongs to; inverse of :func:`actor_of` up to the incarnation."""
    region, shard, _ = actor.split("/")
    return Origin(RegionName(region), ShardName(shard))
