"""A client's end of a connection to a simulated server, and the pools that keep connections by purpose.

Like the sessions of the real store: a connection that saw any failure, or whose user was cancelled, is thrown away,
and the next user connects anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from atoll.errors import Unavailable
from atoll.simulation.loop.hosts import Host
from atoll.simulation.storage.backend import Backend, Request, Statement
from atoll.simulation.storage.server import Server
from atoll.simulation.storage.steps import ConnectionLost, Transaction, Work

T = TypeVar("T")

_CANCEL_TRIPS: Final = 3
"""A cancel request has to make a connection of its own first, so that it hardly overtakes the statement."""
_HANDSHAKE_ROUND_TRIPS: Final = 4
"""To connect: TCP, authentication, the type codec, the check of the server's history."""

Greeting = Callable[[], None]
"""What a new connection checks; raises what the user of the connection is to hear."""


class Connection:
    """One connection of a process that lives on ``client``."""

    __slots__ = (
        "_alarm",
        "_backend",
        "_deadline",
        "_server",
        "_waiting",
        "client",
        "closed",
        "is_cut",
        "life",
        "process",
        "serial",
    )

    def __init__(self, server: Server, client: Host) -> None:
        self.client = client
        self.life = client.life
        self.process = f"{client.name}#{client.life}"
        """The client's host and which of its lives this is."""
        self.serial = server.next_serial()
        self.closed = False
        """The client knows that it cannot be used."""
        self.is_cut = False
        """The server does not know it any more."""
        self._server = server
        self._backend = Backend(server, self)
        self._waiting: asyncio.Future[Any] | None = None
        self._deadline = 0.0
        """Until when the user waits, by the clock of the client."""
        self._alarm: asyncio.TimerHandle | None = None
        """Due at the deadline or before: set anew when it goes off too early, not at each statement."""

    @property
    def client_is_alive(self) -> bool:
        """Whether the process that connected still lives; a paused one does."""
        return self.client.alive and self.client.life == self.life

    @property
    def is_waiting(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._waiting is not None and self.client_is_alive

    async def open(self, greeting: Greeting, seconds: float) -> None:
        """Connect; raises :class:`ConnectionLost`, and what the server or the greeting refuses."""
        server = self._server
        server.meet(self.process)

        def greet(_: Server, __: Transaction) -> Work[None]:
            yield _HANDSHAKE_ROUND_TRIPS * 2 * server.latency_seconds()
            server.admit(self)
            greeting()

        await self.ask(greet, seconds)

    async def ask(self, statement: Statement, seconds: float, *, stays_open: bool = False) -> Any:
        """The answer of one statement. Raises :class:`ConnectionLost`, ``TimeoutError`` after ``seconds``, and what
        the statement raises; after any of these, and after a cancellation, the connection is closed."""
        waiting = self._waiting = self._server.loop.create_future()
        self._send(Request(statement, waiting, stays_open))
        self._be_patient(seconds)
        try:
            return await waiting
        except BaseException as error:
            self._leave(isinstance(error, (asyncio.CancelledError, TimeoutError)))
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        """Say goodbye: what runs is finished, what is open is rolled back."""
        self._leave(False)

    def lost(self) -> None:
        """The server's machine, or its kernel, says that the connection is no more."""
        self.closed = True
        if self._waiting is not None:
            _settle(self._waiting, ConnectionLost("the connection was closed in the middle of operation"))

    def _send(self, request: Request) -> None:
        server = self._server
        if not server.host.alive:
            server.bites["crash_shard: statements to a dead server"] += 1
        if server.host.alive and not self.is_cut:
            self._backend.expecting = True
            server.after(server.latency_seconds() + server.statement_seconds(), self._backend.receive, request)
        elif server.silent:
            server.hang(self)
        else:
            server.loop.call_on(self.client, 2 * server.latency_seconds(), self.lost)

    def answer(self, waiting: asyncio.Future[Any], answer: Any) -> None:
        """Called on the server: carries the answer to the client, where ``waiting`` waits for it."""
        server = self._server
        server.loop.call_on(self.client, server.latency_seconds(), _settle, waiting, answer)

    def _be_patient(self, seconds: float) -> None:
        loop = self._server.loop
        self._deadline = loop.time() + seconds
        if self._alarm is not None and self._alarm.when() > self._deadline:
            self._alarm.cancel()
            self._alarm = None
        if self._alarm is None:
            self._alarm = loop.call_at(self._deadline, self._lose_patience)

    def _lose_patience(self) -> None:
        self._alarm = None
        if self._waiting is None:
            return
        loop = self._server.loop
        if loop.time() < self._deadline:
            self._alarm = loop.call_at(self._deadline, self._lose_patience)
        else:
            _settle(self._waiting, TimeoutError("the server took too long"))

    def _leave(self, cancels: bool) -> None:
        self.closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        server = self._server
        server.forget(self)
        if server.host.alive and not self.is_cut:
            if cancels:
                server.after(_CANCEL_TRIPS * server.latency_seconds(), self._backend.cancel)
            else:
                server.after(server.latency_seconds(), self._backend.hang_up)


def _settle(waiting: asyncio.Future[Any], answer: Any) -> None:
    if waiting.done():
        return
    if isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)


class Pool:
    """At most ``size`` connections for one purpose, made when they are needed. Raises :class:`Unavailable` once it is
    closed, else what happens."""

    def __init__(self, name: str, size: int, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._name = name
        self._free = asyncio.Semaphore(size)
        self._connect = connect
        self._idle: list[Connection] = []
        self._busy: dict[int, Connection] = {}
        self._closed = False

    async def ask(self, statement: Statement, seconds: float) -> Any:
        """One statement on a connection of the pool."""
        async with self._free:
            connection = await self._take()
            try:
                answer = await connection.ask(statement, seconds)
            finally:
                del self._busy[connection.serial]
            self._put(connection)
            return answer

    async def within(self, action: Callable[[Connection], Awaitable[T]]) -> T:
        """Several statements on one connection."""
        async with self._free:
            connection = await self._take()
            try:
                answer = await action(connection)
            except BaseException:
                if not connection.closed:
                    connection.close()
                raise
            finally:
                del self._busy[connection.serial]
            self._put(connection)
            return answer

    def close(self) -> None:
        """Close what is idle, and cut what is busy."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        for connection in self._busy.values():
            connection.lost()

    async def _take(self) -> Connection:
        if self._closed:
            raise Unavailable(f"{self._name} is closed")
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                break
        else:
            connection = await self._connect()
        self._busy[connection.serial] = connection
        return connection

    def _put(self, connection: Connection) -> None:
        if self._closed:
            connection.close()
        elif not connection.closed:
            self._idle.append(connection)
