"""One tree of errors, cut by who must act.

:class:`CallerError` — the caller sent something wrong; repeating it will fail again. :class:`StaleRoute` — the
sender's shard map is old; follow the redirect. :class:`Retryable` — nobody is wrong; try again after a while.
:class:`OutcomeUnknown` — the write may or may not have happened. :class:`PeerError` — another region broke the
protocol. :class:`OperatorError` — the configuration or the machine is wrong; a person must mend it.

Every error carries a stable ``code`` (the class name in snake case) that crosses the wire unchanged, so that a
remote client raises the same class as an embedded one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar


class AtollError(Exception):
    """The root of everything Atoll raises on purpose. ``str()`` says what happened, where, and what to do."""

    code: ClassVar[str] = "atoll_error"
    registry: ClassVar[dict[str, type[AtollError]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()
        AtollError.registry[cls.code] = cls

    @property
    def message(self) -> str:
        return str(self)


# -- the caller must act ------------------------------------------------------------------------------------------


class CallerError(AtollError):
    """The request itself is wrong. Nothing was stored; sending it again unchanged fails again."""


class InvalidName(CallerError):
    """A region, shard, zone, collection or field name outside the allowed alphabet."""


class UnknownCollection(CallerError):
    """The collection is not in the configuration of the region that was asked."""


class UnknownField(CallerError):
    """A merge operation on a field that was not declared, or any undeclared field of a strict collection."""


class UnknownZone(CallerError):
    """No such zone, no zone for that country, or no zone given where the collection needs one."""


class InvalidKey(CallerError):
    """A key that is empty, longer than the limit, or not text that Postgres can hold."""


class InvalidValue(CallerError):
    """A value the canonical codec refuses: NaN, an unsupported type, an integer beyond 64 bits, a naive datetime."""


class WrongRule(CallerError):
    """An operation that the field's merge rule does not have, or a value of the wrong type for the rule."""


class ValueTooLarge(CallerError):
    """A value, record or request above the size limit; the message names the limit and the size."""


class InvalidRequest(CallerError):
    """A message that no client of this version sends: an operation of no known kind, a senseless deadline."""


class InvalidToken(CallerError):
    """A session token that is malformed, tampered with, or signed by another ring."""


# -- the map is stale ---------------------------------------------------------------------------------------------


class StaleRoute(AtollError):
    """The shard that was asked does not own the position; nothing was written. Refresh the map and ask again."""


class ZoneNotHosted(StaleRoute):
    """This region may not hold the zone; ask one of the regions the message names."""


# -- nobody is wrong: try again -----------------------------------------------------------------------------------


class Retryable(AtollError):
    """A passing condition. Nothing was written; the same request may succeed later."""


class Unavailable(Retryable):
    """A shard, node or region does not answer."""


class Overloaded(Retryable):
    """A bounded queue is full; the message names it and its bound."""


class DeadlineExceeded(Retryable):
    """The deadline passed before the request began to write."""


class SessionNotCovered(DeadlineExceeded):
    """The region has not yet seen all that the session token covers; the message names the missing batches."""


class OutcomeUnknown(AtollError):
    """The connection broke after a write was sent: it may or may not be stored. Read before you repeat it."""


class PartialFailure(AtollError):
    """Some operations of a call on many records failed; the others were carried out.

    ``failures`` has the error of each key that failed, ``values`` the results of the others.
    """

    def __init__(self, failures: Mapping[str, AtollError], values: Mapping[str, Any]) -> None:
        first = next(iter(failures.items()))
        total = len(failures) + len(values)
        super().__init__(f"{len(failures)} of {total} records failed; the first, {first[0]!r}: {first[1]}")
        self.failures = failures
        self.values = values


# -- another region must act --------------------------------------------------------------------------------------


class PeerError(AtollError):
    """Another region broke the protocol; what it sent was refused whole."""


class ResidencyViolation(PeerError):
    """A record of a zone that this region may not hold was offered to it, and refused before it was stored."""


class CorruptFrame(PeerError):
    """A replication frame, record or context that does not decode."""


class ClockTooFarAhead(PeerError):
    """A timestamp further in the future than the guard allows; the sender's clock or ours is wrong."""


class WrongRing(PeerError):
    """The peer belongs to another ring, speaks another wire version, or is not a member."""


# -- an operator must act -----------------------------------------------------------------------------------------


class OperatorError(AtollError):
    """The configuration or the machine is wrong; the message names the file, the key and the fix."""


class InvalidConfiguration(OperatorError):
    """``atoll.toml`` is missing, unreadable or contradicts itself. Nothing was started."""


class UnsafeShard(OperatorError):
    """A shard's Postgres does not meet the durability or version rules (say, ``synchronous_commit = off``)."""


class PostgresNotFound(OperatorError):
    """No Postgres binaries anywhere that the launcher looks."""


class PostgresFailed(OperatorError):
    """A Postgres server that the launcher manages could not be created or started; the message quotes its log."""


class NodeFailed(OperatorError):
    """A node process could not be started; the message quotes its log."""


class AlreadyRunning(OperatorError):
    """A ring is running in this state directory."""


class NotRunning(OperatorError):
    """No ring is running in this state directory."""


class SchemaMismatch(OperatorError):
    """A shard's schema is newer than this code, or an applied migration was edited afterwards."""


class CorruptCatalog(OperatorError):
    """The catalog holds a document that no version of this code wrote: restore it, or mend it by hand."""


def from_code(code: str, message: str) -> AtollError:
    """Rebuild an error that crossed the wire; the code of an unknown class, or of one that holds more than a message
    and so never crosses, becomes a plain :class:`AtollError`."""
    kind = AtollError.registry.get(code, AtollError)
    return kind(message) if kind.__init__ is AtollError.__init__ else AtollError(message)
