"""The client for scripts: the same methods, each waiting for its result.

One event loop in a thread of its own carries the connection; calls from any number of threads are handed to it. This
is the only place where the client uses a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from threading import Thread
from typing import Any, TypeVar

from atoll.client.client import Client, Fields, Place, Record
from atoll.crdt.operations import FieldOperation

ResultT = TypeVar("ResultT")


class SyncClient:
    """See :class:`~atoll.client.client.Client` for what the methods do. Close it, or use it with ``with``."""

    def __init__(self, opening: Callable[[], Coroutine[Any, Any, Client]]) -> None:
        """Open a client on a loop of its own; raises what ``opening`` raises, and then leaves no thread behind."""
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="atoll-client", daemon=True)
        self._thread.start()
        try:
            self._client = self._run(opening())
        except BaseException:
            self._stop()
            raise

    def get(self, collection: str, key: str, **options: Any) -> Record | None:
        """The record, or ``None``. Options: ``zone`` or ``country``, ``timeout_seconds``."""
        return self._run(self._client.get(collection, key, **options))

    def put(self, collection: str, key: str, fields: Fields, **options: Any) -> None:
        """Replace the record."""
        self._run(self._client.put(collection, key, fields, **options))

    def update(self, collection: str, key: str, *operations: FieldOperation, **options: Any) -> None:
        """Apply merge operations as one write."""
        self._run(self._client.update(collection, key, *operations, **options))

    def delete(self, collection: str, key: str, **options: Any) -> None:
        """Remove the record."""
        self._run(self._client.delete(collection, key, **options))

    def get_many(self, collection: str, keys: Iterable[str], **options: Any) -> dict[str, Record | None]:
        """The records by key."""
        return self._run(self._client.get_many(collection, keys, **options))

    def put_many(
        self,
        collection: str,
        records: Mapping[str, Fields] | Iterable[tuple[str, Fields]],
        *,
        zone: Place = None,
        country: Place = None,
        timeout_seconds: float | None = None,
    ) -> int:
        """Replace many records; returns how many."""
        return self._run(
            self._client.put_many(collection, records, zone=zone, country=country, timeout_seconds=timeout_seconds)
        )

    def move(self, *addresses: str) -> None:
        """Go on at another node or in another region, session and all."""
        self._run(self._client.move(*addresses))

    @property
    def token(self) -> str:
        """What this client has read and written, signed."""
        return self._run(self._token())

    def close(self) -> None:
        """Give the connection back and end the thread. Idempotent."""
        if self._thread.is_alive():
            try:
                self._run(self._client.close())
            finally:
                self._stop()

    def __enter__(self) -> SyncClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Sync{repr(self._client).removeprefix('<')}"

    def _run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _token(self) -> str:
        return self._client.token

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
