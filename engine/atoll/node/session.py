"""A session as the engine keeps it: what one client has read and written, growing with every answer."""

from __future__ import annotations

from atoll.causality.cut import Cut
from atoll.causality.session_token import SessionToken
from atoll.ids import Origin
from atoll.instant import Timestamp


class Session:
    """Mutable and shared by all requests of one client. The cut only grows; operations in flight at the same time
    are not ordered, so each depends on what was answered before it was asked."""

    __slots__ = ("cut", "timestamp")

    def __init__(self, token: SessionToken = SessionToken.EMPTY) -> None:
        self.cut: Cut = token.cut
        self.timestamp: Timestamp = token.timestamp

    def wrote(self, origin: Origin, number: int, timestamp: Timestamp) -> None:
        """A write is durable and will be in a batch of ``origin`` up to ``number``. A write reveals nothing else."""
        self.cut = self.cut.advanced(origin, number)
        if timestamp > self.timestamp:
            self.timestamp = timestamp

    def read(self, seen: Cut) -> None:
        """An answer depends on ``seen``."""
        if not self.cut.covers(seen):
            self.cut = self.cut.join(seen)

    def join(self, token: SessionToken) -> None:
        """Another region answered for this session."""
        self.read(token.cut)
        self.timestamp = max(self.timestamp, token.timestamp)

    def token(self) -> SessionToken:
        """The session as a value."""
        return SessionToken(self.cut, self.timestamp)
