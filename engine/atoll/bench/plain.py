"""The other side of the comparison: asyncpg on stock Postgres, one statement per transaction.

One table ``kv(key text primary key, value jsonb)``, one connection per client, prepared statements, autocommit: what
an application would write without Atoll.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import orjson

from atoll.bench.workload import record_value

_DATABASE = "plain"
_TABLE = "create table if not exists kv (key text primary key, value jsonb not null)"
_UPSERT = "insert into kv (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value"
_SELECT = "select value from kv where key = $1"
_LOAD = "insert into kv (key, value) select * from unnest($1::text[], $2::jsonb[]) on conflict (key) do nothing"
_LOAD_ROWS = 1_000


class PlainPostgres:
    """One stock Postgres with a connection per client.

    No pool: asyncpg's resets the connection at each release, a second round trip that would flatter the other side.
    """

    name = "plain asyncpg"

    def __init__(self, connections: Sequence[asyncpg.Connection[asyncpg.Record]]) -> None:
        self._free = list(connections)

    @staticmethod
    async def create(server_dsn: str, clients: int) -> PlainPostgres:
        """Make a database of its own on the server, connect ``clients`` times and create the table."""
        connection = await asyncpg.connect(server_dsn)
        await connection.execute(f"create database {_DATABASE}")
        await connection.close()
        dsn = f"{server_dsn.rsplit('/', 1)[0]}/{_DATABASE}"
        connections = [await asyncpg.connect(dsn) for _ in range(clients)]
        await connections[0].execute(_TABLE)
        return PlainPostgres(connections)

    async def load(self, keys: Sequence[str]) -> None:
        """Store a record under every key, a thousand rows a statement."""
        for begin in range(0, len(keys), _LOAD_ROWS):
            chunk = keys[begin : begin + _LOAD_ROWS]
            await self._free[0].execute(_LOAD, chunk, [_encode(record_value(key, 0)) for key in chunk])
        await self._free[0].execute("vacuum analyze kv")

    async def read(self, key: str) -> Any:
        """The record's value. At most as many concurrent callers as clients were announced."""
        connection = self._free.pop()
        text = await connection.fetchval(_SELECT, key)
        self._free.append(connection)
        return None if text is None else orjson.loads(text)

    async def write(self, key: str, value: dict[str, Any]) -> None:
        """Replace the record in its own transaction."""
        connection = self._free.pop()
        await connection.execute(_UPSERT, key, _encode(value))
        self._free.append(connection)

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._free:
            await connection.close()


def _encode(value: dict[str, Any]) -> str:
    return orjson.dumps(value).decode()
