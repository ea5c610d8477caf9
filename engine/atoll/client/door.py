"""A door into a ring: in this process or over the network. :class:`~atoll.client.client.Client` speaks to either."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from atoll.requests import Consistency, Operation, Result

OnResult = Callable[[int, Result], None]
"""Takes the index of an operation among those submitted, and its result."""


class Door(ABC):
    """Takes operations and answers each exactly once. Holds the client's session."""

    @abstractmethod
    def submit(
        self, operations: Sequence[Operation], consistency: Consistency, timeout_seconds: float, on_result: OnResult
    ) -> None:
        """Start operations, at most ``BATCH_OPERATIONS_MAX``; ``on_result`` is called for each, now or later, and at
        the latest soon after the timeout. The session covers a result before it is handed over."""

    @property
    @abstractmethod
    def token(self) -> str:
        """What the session has seen, for another client or another region; ``""`` if nothing."""

    @abstractmethod
    async def open(self) -> None:
        """Reach the ring. Raises :class:`~atoll.errors.Unavailable` when nobody answers."""

    @abstractmethod
    async def move(self, *addresses: str) -> None:
        """Go on at another node or in another region, session and all; :class:`~atoll.errors.InvalidRequest` if this
        door cannot."""

    @abstractmethod
    async def close(self) -> None:
        """Give everything back. Operations in flight end with an error. Idempotent."""

    @abstractmethod
    def describe(self) -> str:
        """Where the door leads, for messages."""
