"""What applications ask of a region, and what it answers: the one language of client, node and forwarding.

A :class:`Request` is a batch of operations with the session tokens it must respect; a :class:`Reply` answers each
operation in order and carries one token that covers all of them and the tokens that were presented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from atoll.crdt.operations import Write
from atoll.errors import AtollError
from atoll.ids import CollectionName, ZoneName

Value = Mapping[str, Any]


class Consistency(StrEnum):
    """What a read must reflect."""

    SESSION = "session"
    """All that the presented tokens cover, or a typed error within the deadline."""
    EVENTUAL = "eventual"
    """Whatever the shard holds now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """Read one record."""

    collection: CollectionName
    key: str
    zone: ZoneName | None = None
    """The record's zone; ``None`` where the collection implies it (one fixed zone, or placed without zones)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutate:
    """Write one record."""

    collection: CollectionName
    key: str
    write: Write
    zone: ZoneName | None = None


Operation = Get | Mutate


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Operations are independent of each other: each succeeds or fails alone, in any order."""

    operations: Sequence[Operation]
    tokens: Sequence[str] = ()
    consistency: Consistency = Consistency.SESSION
    deadline_seconds: float
    forwarded: bool = False
    """Set by a region that passes the request on; such a request is never passed on again."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to :class:`Get`: the value, or ``None`` if there is no such record."""

    value: Value | None


@dataclass(frozen=True, slots=True)
class Written:
    """The write is durable in its shard."""


Result = Found | Written | AtollError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """``results`` in the order of the operations; ``token`` covers them and every token presented."""

    results: Sequence[Result]
    token: str
