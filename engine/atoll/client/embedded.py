"""The embedded door: the region's engine in the application's own process, straight to its shards.

No network hop and no serialization; the engine groups what all tasks of the process ask for. Replication runs in the
region's nodes, not here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from atoll.client.door import Door, OnResult
from atoll.errors import InvalidRequest
from atoll.node.engine import Engine
from atoll.node.session import Session
from atoll.requests import Consistency, Operation


class EmbeddedDoor(Door):
    """A session with an engine that runs on this event loop."""

    __slots__ = ("_close", "_engine", "_session")

    def __init__(self, engine: Engine, close: Callable[[], Awaitable[None]], tokens: Sequence[str] = ()) -> None:
        """``close`` gives back the engine and what it stands on. Raises :class:`~atoll.errors.InvalidToken`."""
        self._engine = engine
        self._close = close
        self._session: Session = engine.session(tokens)

    def submit(
        self, operations: Sequence[Operation], consistency: Consistency, timeout_seconds: float, on_result: OnResult
    ) -> None:
        session = self._session if consistency is Consistency.SESSION else Session()
        self._engine.submit(operations, session, consistency, timeout_seconds, on_result)

    @property
    def token(self) -> str:
        return self._engine.sign(self._session)

    async def open(self) -> None:
        """Nothing to do: the engine was started by whoever made the door."""

    async def move(self, *addresses: str) -> None:
        raise InvalidRequest(
            f"this client is embedded in {self.describe()} and cannot move to {', '.join(addresses)}: connect there "
            "with token=client.token"
        )

    async def close(self) -> None:
        await self._close()

    def describe(self) -> str:
        return f"region {self._engine.region} in this process"
