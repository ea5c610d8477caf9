"""The machinery of one simulated Postgres server: time, locks, the log, and the connections of its clients.

The server is a host of its own. Statements travel to it and answers back; what runs there does not stop because its
client does. It is durable (``synchronous_commit = on``): what is visible is flushed, and what is flushed survives a
crash. All chance comes from one stream. What goes wrong is decided in :mod:`atoll.simulation.storage.database`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from atoll.ids import Origin
from atoll.simulation.limits import DATABASE_LATENCY_MS_MAX, DATABASE_LATENCY_MS_MIN, SERVER_CONNECTIONS_MAX
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.handles import SimulationTimerHandle
from atoll.simulation.loop.hosts import Host
from atoll.simulation.observations import Connected, Observer
from atoll.simulation.scenario.scenario import DiskSettings
from atoll.simulation.storage.journal import Journal, PendingCommit, copy_of
from atoll.simulation.storage.locks import LockTable
from atoll.simulation.storage.memory_shard import MemoryShard
from atoll.simulation.storage.steps import Commit, Content, Lock, LockKey, Refused, Transaction

if TYPE_CHECKING:
    from atoll.simulation.storage.connection import Connection


class Break(Enum):
    """How a connection breaks around a commit."""

    BEFORE = "before"
    AFTER = "after"


class Server:
    """What the backends of a server share. Times are true seconds."""

    def __init__(
        self, loop: SimulationLoop, host: Host, origin: Origin, disk: DiskSettings, observer: Observer | None
    ) -> None:
        self.loop = loop
        self.host = host
        self.origin = origin
        self.bites: Counter[str] = Counter()
        """What each fault really did to somebody, by ``fault: effect``."""
        birth = f"{loop.streams.get(f'birth:{origin}').getrandbits(128):032x}"
        self.content = Content(shard=MemoryShard(origin, birth=birth))
        self.silent = False
        """Dead without a word: the machine is gone, and nobody refuses connections."""
        self._observer = observer
        self._known: set[str] = set()
        self._disk = disk
        self._random = loop.streams.get(f"disk:{origin}")
        self._draw = self._random.random
        self._journal = Journal(copy_of(self.content))
        self._locks = LockTable()
        self._serial = 0
        self._recovering: Sequence[PendingCommit] = ()
        self._connections: dict[int, Connection] = {}
        self._hung: list[Connection] = []
        self._prepared: list[Transaction] = []
        self._factor = 1.0
        self._full = False
        self._doubtful = 0.0

    # -- time -----------------------------------------------------------------------------------------------------

    def after(self, seconds: float, callback: Callable[..., object], *arguments: Any) -> SimulationTimerHandle:
        """Call back on the server, unless it has died by then."""
        return self.loop.call_on(self.host, seconds, callback, *arguments)

    def latency_seconds(self) -> float:
        """One way between a client and the server."""
        width_ms = DATABASE_LATENCY_MS_MAX - DATABASE_LATENCY_MS_MIN
        return (DATABASE_LATENCY_MS_MIN + width_ms * self._draw()) / 1_000

    def statement_seconds(self) -> float:
        """What one statement takes."""
        return self._slowed((0.5 + self._draw()) * self._disk.statement_ms)

    def _flush_seconds(self) -> float:
        return self._slowed(self._random.uniform(self._disk.flush_ms_min, self._disk.flush_ms_max))

    def _slowed(self, milliseconds: float) -> float:
        if self._factor != 1.0:
            self.bites["slow_shard: steps slowed down"] += 1
        return milliseconds * self._factor / 1_000

    # -- connections ----------------------------------------------------------------------------------------------

    def admit(self, connection: Connection) -> None:
        """Count a connection in; raises :class:`Refused` if there are too many."""
        if len(self._connections) >= SERVER_CONNECTIONS_MAX:
            self._connections = {n: each for n, each in self._connections.items() if each.client_is_alive}
        if len(self._connections) >= SERVER_CONNECTIONS_MAX:
            raise Refused("sorry, too many clients already")
        self._connections[connection.serial] = connection

    def forget(self, connection: Connection) -> None:
        """The connection has ended."""
        self._connections.pop(connection.serial, None)

    def hang(self, connection: Connection) -> None:
        """Somebody waits for a server that is gone; told when it is back."""
        self._hung.append(connection)

    # -- transactions ---------------------------------------------------------------------------------------------

    def next_serial(self) -> int:
        """A fresh number, for transactions and connections."""
        self._serial += 1
        return self._serial

    def meet(self, process: str) -> None:
        """A process asks for a connection."""
        if process not in self._known:
            self._known.add(process)
            if self._observer is not None:
                self._observer.observe(Connected(at=self.loop.now(), server=self.origin, process=process))

    def begin(self) -> Transaction:
        return Transaction(self.next_serial(), self.content)

    def lock(self, transaction: Transaction, wanted: Lock, granted: Callable[[], None]) -> bool:
        """Whether the transaction holds the lock now; otherwise ``granted`` is called when it does."""
        held = self._locks.take(transaction.serial, wanted, granted)
        if not held and self._prepared:
            self.bites["prepared_transaction: statements that waited"] += 1
        return held

    def try_lock(self, transaction: Transaction, key: LockKey) -> bool:
        """Take a lock exclusively if nobody holds it."""
        return self._locks.try_take(transaction.serial, key)

    def refusal(self) -> Refused | None:
        """Why nothing can be written at present."""
        if not self._full:
            return None
        self.bites["full_shard: writes refused"] += 1
        return Refused("could not extend file: No space left on device")

    def breaks_commit(self) -> Break | None:
        """Whether the connection that commits now breaks, and when."""
        if self._random.random() >= self._doubtful:
            return None
        self.bites["ambiguous_shard: commits left in doubt"] += 1
        return Break.BEFORE if self._random.random() < 0.5 else Break.AFTER

    def flush(self, transaction: Transaction, commit: Commit, done: Callable[..., object], *arguments: Any) -> None:
        """Write the commit record; ``done(pending, …)`` is called when it is flushed."""
        pending = self._journal.append(transaction.numbered(), commit)
        self.after(self._flush_seconds(), done, pending, *arguments)

    def make_visible(self, transaction: Transaction, pending: PendingCommit) -> None:
        """A flushed commit takes effect, and the transaction gives up its locks."""
        self._journal.flushed(pending)
        self._take_effect(pending)
        self.end(transaction)

    def _take_effect(self, pending: PendingCommit) -> None:
        commit, now = pending.commit, self.loop.now()
        told = None
        if self._observer is not None and commit.tell is not None:
            told = commit.tell(self.content, now)
        commit.effect(self.content)
        self._journal.note(pending, now)
        if self._observer is not None and told is not None:
            self._observer.observe(told)

    def end(self, transaction: Transaction) -> None:
        """A transaction has committed or is gone."""
        if transaction.number is not None:
            transaction.content.shard.end(transaction.number)
        self._locks.release_all(transaction.serial)

    # -- life and death -------------------------------------------------------------------------------------------

    def _bite(self, effect: str, count: int) -> None:
        """Count what a fault did, if it did it."""
        if count:
            self.bites[effect] += count

    def _stop(self, fault: str) -> None:
        """The server dies. Of the commits that were being flushed a prefix is durable; the rest never happened."""
        self.loop.crash(self.host)
        kept, lost = self._journal.crash(self._random.randint)
        self._bite(f"{fault}: commits lost", len(lost))
        self._bite(f"{fault}: commits kept that nobody heard of", len(kept))
        self._recovering = kept
        self._forget_transactions(kept)
        broken, self._connections = list(self._connections.values()), {}
        self._bite(f"{fault}: statements interrupted", sum(each.is_waiting for each in broken))
        for connection in broken:
            connection.is_cut = True
            if self.silent:
                self.hang(connection)
            else:
                self._tell_lost(connection)

    def _forget_transactions(self, kept: Sequence[PendingCommit]) -> None:
        """What was open is gone, unless it was prepared. Numbers that no durable part of the log knows may be given
        out again."""
        shard = self.content.shard
        prepared = [each for each in self._prepared if each.content is self.content]
        known = [self._journal.durable_transaction, *(each.transaction for each in kept)]
        known += [each.number for each in prepared if each.number is not None]
        shard.next_transaction = self._random.randint(max(known) + 1, shard.next_transaction)
        shard.open = {each.number for each in prepared if each.number is not None}

    def _start(self) -> None:
        """The server recovers what its log holds and lets clients in."""
        self.host.start()
        self.silent = False
        self._locks = LockTable()
        for transaction in self._prepared:
            if transaction.content is self.content:
                for key in transaction.keys:
                    self._locks.try_take(transaction.serial, key)
        recovering, self._recovering = self._recovering, ()
        for pending in recovering:
            self._take_effect(pending)
        hung, self._hung = self._hung, []
        for connection in hung:
            self._tell_lost(connection)

    def _tell_lost(self, connection: Connection) -> None:
        if connection.client_is_alive:
            self.loop.call_on(connection.client, self.latency_seconds(), connection.lost)
