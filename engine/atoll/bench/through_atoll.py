"""The measured sides: the same traffic through an Atoll client, embedded or over gRPC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from atoll.bench.workload import record_value
from atoll.client.client import Client

_LOAD_RECORDS = 5_000


class ThroughAtoll:
    """All clients share one :class:`Client`, as the tasks of an application do."""

    def __init__(self, name: str, client: Client, collection: str) -> None:
        self.name = name
        self._collection = collection
        self._client = client

    async def load(self, keys: Sequence[str]) -> None:
        """Store a record under every key."""
        for begin in range(0, len(keys), _LOAD_RECORDS):
            chunk = keys[begin : begin + _LOAD_RECORDS]
            await self._client.put_many(
                self._collection, {key: record_value(key, 0) for key in chunk}, timeout_seconds=60
            )

    async def read(self, key: str) -> Any:
        """The record's value, read within the session."""
        return await self._client.get(self._collection, key)

    async def write(self, key: str, value: dict[str, Any]) -> None:
        """Replace the record durably."""
        await self._client.put(self._collection, key, value)
