"""A shard that owns everything, on the database that a test's ``dsn`` names, and connections beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import pytest
from tests.contracts.records import FRANKFURT

from atoll.keyspace.key_range import EVERYTHING
from atoll.ports import Ownership, ShardStore
from atoll.postgres.shard_store import open_shard_store

Connect = Callable[[], Awaitable[asyncpg.Connection]]


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[ShardStore]:
    opened = await open_shard_store(dsn, FRANKFURT, "ring")
    await opened.claim(Ownership(range=EVERYTHING, epoch=1))
    yield opened
    await opened.close()


@pytest.fixture
async def connect(dsn: str) -> AsyncIterator[Connect]:
    """Connections beside the store's; they are cut after the test."""
    async with AsyncExitStack() as exits:

        async def connected() -> asyncpg.Connection:
            connection = await asyncpg.connect(dsn)
            exits.callback(connection.terminate)
            return connection

        yield connected
