"""Connections to one shard: small pools by purpose, prepared statements, and what the world's failures are called.

A connection that saw any failure, or whose user was cancelled, is thrown away: what is left of its transaction dies
with it, and the next user connects anew. That is also how a store survives a restart of its server.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from atoll import limits
from atoll.errors import Unavailable
from atoll.ids import Origin

# Each statement of a function sees a new snapshot under read committed alone: the fence relies on it to look again
# after it has waited, and so does the capture. Every statement of the store finds its rows by key, driven by arrays
# whose size the planner cannot know: with the other settings it cannot choose a plan that is right for the small
# table of the first minute and ruinous for the large one of the next, and rows are locked in the order of the arrays.
_SETTINGS = {
    "application_name": "atoll",
    "default_transaction_isolation": "read committed",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    OSError,
    TimeoutError,
)
"""What asyncpg raises when the shard, not the statement, is at fault."""
CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
"""Transactions that Postgres ended for the sake of others: nothing happened, and they may simply be repeated."""

_NUL_LETTERS = b"\\u0000"
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""The escape of U+0000 in JSON. After an odd number of backslashes the same letters are a text about it."""

Preparation = Callable[["Session"], Awaitable[None]]


class Session:
    """One connection and its prepared statements."""

    __slots__ = ("_statements", "born", "connection")

    def __init__(self, connection: asyncpg.Connection, born: float) -> None:
        self.connection = connection
        self.born = born
        self._statements: dict[str, PreparedStatement] = {}

    async def prepare(self, sql: str) -> PreparedStatement:
        """The prepared form of ``sql``; a round trip the first time only."""
        found = self._statements.get(sql)
        if found is None:
            found = self._statements[sql] = await self.connection.prepare(sql)
        return found

    async def row(self, sql: str, *arguments: Any) -> asyncpg.Record:
        """The one row of a statement that always has one."""
        row = await (await self.prepare(sql)).fetchrow(*arguments)
        assert row is not None, "the statement answers with one row"
        return row

    async def rows(self, sql: str, *arguments: Any) -> Sequence[asyncpg.Record]:
        """All rows of a statement."""
        rows: Sequence[asyncpg.Record] = await (await self.prepare(sql)).fetch(*arguments)
        return rows


class Address:
    """A shard's DSN, and how to speak of it without its password."""

    def __init__(self, dsn: str, origin: Origin) -> None:
        self.dsn = dsn
        parts = urlsplit(dsn)
        self._place = parts.netloc.rpartition("@")[2] or "its DSN"
        userinfo = parts.netloc.rpartition("@")[0]
        self._secret = userinfo.partition(":")[2]
        self.name = f"shard {origin.shard} of {origin.region}"

    def __str__(self) -> str:
        return f"{self.name} at {self._place}"

    def unavailable(self, error: BaseException) -> Unavailable:
        """The error for callers: what failed, where, and why."""
        verb = "reach" if isinstance(error, LOST) else "use"
        return Unavailable(f"could not {verb} {self}: {self.reason(error)}")

    def reason(self, error: BaseException) -> str:
        """What ``error`` says, without the password."""
        text = str(error) or type(error).__name__
        for secret in {self._secret, unquote(self._secret)} - {""}:
            text = text.replace(secret, "***")
        return text


async def connect(address: Address) -> asyncpg.Connection:
    """A connection set up as the store needs it; raises :class:`Unavailable`."""
    try:
        connection = await asyncpg.connect(
            address.dsn,
            timeout=limits.SHARD_CONNECT_SECONDS_MAX,
            command_timeout=limits.SHARD_STATEMENT_SECONDS_MAX,
            server_settings=_SETTINGS,
        )
    except (asyncpg.PostgresError, ValueError, *LOST) as error:
        raise address.unavailable(error) from error
    try:
        await connection.set_type_codec(
            "jsonb", schema="pg_catalog", encoder=_jsonb, decoder=_from_jsonb, format="binary"
        )
    except BaseException:
        connection.terminate()
        raise
    return connection


class Pool:
    """At most ``size`` sessions for one purpose, made when they are needed.

    ``preparation`` runs on each new session before its first use.
    """

    def __init__(self, address: Address, size: int, preparation: Preparation) -> None:
        self._address = address
        self._free = asyncio.Semaphore(size)
        self._preparation = preparation
        self._idle: list[Session] = []
        self._busy: set[Session] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Borrow a session. Postgres' errors come out as :class:`Unavailable`, except for :data:`CONFLICTS`."""
        async with self._free:
            session = await self._take()
            self._busy.add(session)
            try:
                yield session
            except BaseException as error:
                self._discard(session, error)
                if isinstance(error, (asyncpg.PostgresError, *LOST)) and not isinstance(error, CONFLICTS):
                    raise self._address.unavailable(error) from error
                raise
            finally:
                self._busy.discard(session)
            self._put(session)

    async def close(self) -> None:
        """Close what is idle; what is busy is closed when it comes back."""
        self._closed = True
        idle, self._idle = self._idle, []
        for session in idle:
            await _farewell(session.connection)
        await asyncio.gather(*self._leaving)

    def terminate(self) -> None:
        """Cut what is still busy."""
        for session in self._busy:
            session.connection.terminate()

    async def _take(self) -> Session:
        if self._closed:
            raise Unavailable(f"the store of {self._address} is closed")
        now = asyncio.get_running_loop().time()
        while self._idle:
            session = self._idle.pop()
            if session.connection.is_closed():
                continue
            if now - session.born < limits.SHARD_CONNECTION_AGE_SECONDS:
                return session
            await _farewell(session.connection)
        return await self._new(now)

    async def _new(self, now: float) -> Session:
        session = Session(await connect(self._address), now)
        try:
            await self._preparation(session)
        except BaseException as error:
            session.connection.terminate()
            if isinstance(error, (asyncpg.PostgresError, *LOST)):
                raise self._address.unavailable(error) from error
            raise
        return session

    def _discard(self, session: Session, error: BaseException) -> None:
        """Throw a session away. Whoever gave up waiting leaves a statement that still runs: that one is ended too."""
        if isinstance(error, (asyncio.CancelledError, TimeoutError, GeneratorExit)):
            leaving = asyncio.create_task(_farewell(session.connection))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        else:
            session.connection.terminate()

    def _put(self, session: Session) -> None:
        if self._closed:
            session.connection.terminate()
        elif not session.connection.is_closed():
            self._idle.append(session)


async def _farewell(connection: asyncpg.Connection) -> None:
    """Cancel what runs, say goodbye, and hang up if that takes long."""
    try:
        await connection.close(timeout=limits.SHARD_FAREWELL_SECONDS_MAX)
    except (asyncpg.PostgresError, *LOST):
        connection.terminate()


def _jsonb(document: bytes) -> bytes:
    """The wire form of a document. jsonb cannot hold U+0000: the readable copy shows the replacement character."""
    return b"\x01" + (_NUL.sub(rb"\1\\ufffd", document) if _NUL_LETTERS in document else document)


def _from_jsonb(document: bytes) -> bytes:
    return bytes(document[1:])
