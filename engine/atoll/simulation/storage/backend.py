"""The process of a simulated server that serves one connection: it runs one statement after the other.

It is the server's, not its client's: a client that pauses, dies or loses patience does not stop a statement. A lost
client is noticed when the answer cannot be delivered, by its goodbye, or while a transaction waits for its next
statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from atoll.errors import AtollError
from atoll.simulation.limits import IDLE_CLIENT_CHECK_SECONDS
from atoll.simulation.loop.handles import SimulationTimerHandle
from atoll.simulation.storage.journal import PendingCommit
from atoll.simulation.storage.server import Break, Server
from atoll.simulation.storage.steps import Commit, ConnectionLost, Lock, Refused, Transaction, Work

if TYPE_CHECKING:
    from atoll.simulation.storage.connection import Connection

Statement = Callable[[Server, Transaction], Work[Any]]


class Request(NamedTuple):
    """A statement on its way to the server."""

    statement: Statement
    waiting: asyncio.Future[Any]
    """The client's, for the answer or the error."""
    stays_open: bool
    """The transaction goes on with the connection's next statement."""


class Backend:
    """Serves one connection of one client. Everything here runs on the server's host."""

    __slots__ = (
        "_committing",
        "_connection",
        "_leaving",
        "_looking",
        "_refusing",
        "_request",
        "_server",
        "_transaction",
        "_turn",
        "_work",
        "expecting",
    )

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self.expecting = False
        """A statement is on its way here: it will run, even if a goodbye is faster."""
        self._leaving = False
        """The client has said goodbye, or hung up."""
        self._refusing = False
        """The connection is broken, or its client has sent a cancel: nothing runs any more."""
        self._request: Request | None = None
        self._work: Work[Any] | None = None
        self._transaction: Transaction | None = None
        self._committing = False
        self._turn = 0
        self._looking: SimulationTimerHandle | None = None
        """When an open transaction waits for its client: the next look whether that still lives."""

    # -- what arrives ---------------------------------------------------------------------------------------------

    def receive(self, request: Request) -> None:
        """Begin a statement, in the open transaction if there is one."""
        self.expecting = False
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        if self._refusing:
            self._connection.answer(request.waiting, ConnectionLost("the connection is closed"))
            return
        assert self._work is None, "a connection asks one thing at a time"
        if self._transaction is None:
            self._transaction = self._server.begin()
            self._transaction.process = self._connection.process
        self._request = request
        self._work = request.statement(self._server, self._transaction)
        self._turn += 1
        self._go_on(self._turn)

    def cancel(self) -> None:
        """The client has lost patience: what does not commit yet is rolled back, and the connection ends."""
        self._refusing = self._leaving = True
        if not self._committing:
            self._roll_back()

    def hang_up(self) -> None:
        """The client is gone: a statement that runs is finished, an open transaction is rolled back."""
        self._leaving = True
        if self._work is None and not self.expecting:
            self._roll_back()

    # -- what runs ------------------------------------------------------------------------------------------------

    def _go_on(self, turn: int) -> None:
        """Run to the next step that takes time; stale wake-ups are ignored."""
        if turn != self._turn or self._work is None:
            return
        try:
            while True:
                step = next(self._work)
                if isinstance(step, Lock):
                    if not self._server.lock(self._running, step, self._wake):
                        return
                elif isinstance(step, Commit):
                    self._commit(step)
                    return
                else:
                    self._server.after(step, self._go_on, turn)
                    return
        except StopIteration as done:
            self._finish(done.value)
        except (AtollError, Refused, ConnectionLost) as error:
            self._roll_back()
            self._finish(error)

    def _wake(self) -> None:
        """A lock was granted: go on when the scheduler says so."""
        self._server.after(0.0, self._go_on, self._turn)

    @property
    def _running(self) -> Transaction:
        assert self._transaction is not None, "a statement runs in a transaction"
        return self._transaction

    def _commit(self, commit: Commit) -> None:
        refusal = self._server.refusal()
        if refusal is not None:
            raise refusal
        breaks = self._server.breaks_commit()
        if breaks is Break.BEFORE:
            self._refusing = True
            raise ConnectionLost("the connection broke before the commit")
        self._committing = True
        self._server.flush(self._running, commit, self._committed, breaks is Break.AFTER)

    def _committed(self, pending: PendingCommit, is_cut_off: bool) -> None:
        self._committing = False
        self._server.make_visible(self._running, pending)
        if is_cut_off:
            self._refusing = True
            self._finish(ConnectionLost("the connection broke after the commit"))
        else:
            self._go_on(self._turn)

    def _finish(self, answer: object) -> None:
        request, self._request, self._work = self._request, None, None
        self._turn += 1
        assert request is not None, "only what was asked for is finished"
        if not request.stays_open or self._leaving or self._refusing:
            self._roll_back()
        self._connection.answer(request.waiting, answer)
        if self._transaction is not None:
            self._looking = self._server.after(IDLE_CLIENT_CHECK_SECONDS, self._look_for_client, self._turn)

    def _look_for_client(self, turn: int) -> None:
        """An open transaction waits for its client: roll it back if that has died."""
        if turn != self._turn or self._transaction is None:
            return
        if self._connection.client_is_alive:
            self._looking = self._server.after(IDLE_CLIENT_CHECK_SECONDS, self._look_for_client, turn)
        else:
            self.hang_up()

    def _roll_back(self) -> None:
        """End the transaction; what has become visible stays."""
        self._work = None
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            self._server.end(transaction)
