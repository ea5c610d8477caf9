"""One simulated Postgres server and everything that can go wrong with it.

A shard lives on it, and the region's catalog if it is the first shard's. Each fault holds until it is undone, and any
number of different ones may hold at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from atoll.errors import UnsafeShard
from atoll.ids import Origin, RecordId
from atoll.simulation.limits import FAILOVER_LAG_SECONDS_MAX, PREPARED_RECORDS_MAX
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.hosts import Host
from atoll.simulation.observations import Observer, Rewound
from atoll.simulation.scenario.scenario import DiskSettings
from atoll.simulation.storage.journal import Journal, PendingCommit, copy_of
from atoll.simulation.storage.memory_shard import MemoryShard
from atoll.simulation.storage.server import Server
from atoll.simulation.storage.statements import record_lock
from atoll.simulation.storage.steps import Content


class _Aside(NamedTuple):
    """The original server while another one stands in its place."""

    content: Content
    journal: Journal
    recovering: Sequence[PendingCommit]


class Database(Server):
    """See the module. What is not a fault is inherited."""

    accepts_other_history = False
    """Whether a server that was promoted with less than all is used. Never, but by a mutant."""

    def __init__(
        self, loop: SimulationLoop, host: Host, origin: Origin, disk: DiskSettings, observer: Observer | None
    ) -> None:
        super().__init__(loop, host, origin, disk, observer)
        self._aside: _Aside | None = None
        self._lacking: Sequence[int] = ()
        self._is_stalled = False
        self._is_used = True
        """Somebody was let in since this server took its place."""

    @property
    def shard(self) -> MemoryShard:
        """The durable content, for looking at. A promoted replica that nobody uses is not it."""
        return self.content.shard if self._aside is None or self._is_used else self._aside.content.shard

    # -- crash, stall, slowness -----------------------------------------------------------------------------------

    def crash(self, *, silent: bool = False) -> None:
        """The server dies. ``silent``: its machine too, so that connections hang instead of breaking."""
        self.silent = silent
        self._stop("crash_shard")

    def restart(self) -> None:
        """It recovers and serves again."""
        self._start()

    def stall(self) -> None:
        """Nothing runs and nothing is answered."""
        self._is_stalled = True
        if self.host.alive:
            self.loop.pause(self.host)

    def unstall(self) -> None:
        """Everything that waited goes on at once."""
        self._is_stalled = False
        self._bite("stall_shard: steps held up", len(self.host.parked))
        self.loop.resume(self.host)

    def _start(self) -> None:
        super()._start()
        if self._is_stalled:
            self.loop.pause(self.host)

    def slow(self, factor: float) -> None:
        """Everything on the server takes ``factor`` times as long."""
        assert factor > 0, "time does not go back"
        self._factor = factor

    def unslow(self) -> None:
        self._factor = 1.0

    # -- the disk, and doubt --------------------------------------------------------------------------------------

    def fill(self) -> None:
        """The disk is full: whatever writes is refused; reads go on."""
        self._full = True

    def empty(self) -> None:
        self._full = False

    def doubt(self, share: float) -> None:
        """``share`` of the commits break their connection; half of these have committed."""
        self._doubtful = share

    def undoubt(self) -> None:
        self._doubtful = 0.0

    # -- other histories ------------------------------------------------------------------------------------------

    def fail_over(self, lag_seconds: float) -> None:
        """A replica that had received everything up to ``lag_seconds`` ago is promoted, on a timeline of its own,
        and stands where the server stood. A store refuses it (:meth:`check_history`); a catalog has no such check.
        """
        assert self._aside is None, "a replica stands in already"
        assert 0 <= lag_seconds <= FAILOVER_LAG_SECONDS_MAX, f"a replica cannot lag by {lag_seconds} s"
        was_alive = self._step_down()
        self._aside = _Aside(self.content, self._journal, self._recovering)
        content, self._lacking = self._journal.replica(self.loop.now() - lag_seconds)
        content.history = self.content.history + 1
        self.content, self._journal, self._recovering = content, Journal(copy_of(content)), ()
        self._is_used = False
        self._bite("failover_shard: transactions missing", len(self._lacking))
        if was_alive:
            self._start()

    def fail_back(self) -> None:
        """The original server is back, with all that it had."""
        assert self._aside is not None, "nothing stands in"
        was_alive = self._step_down()
        if self._is_used:
            self._rewound(self._journal.transactions())
        self.content, self._journal, self._recovering = self._aside
        self._aside, self._is_used = None, True
        if was_alive:
            self._start()

    def check_history(self) -> None:
        """What every new connection of a store asks: is this the server that the shard's identity was noted on?"""
        if self._aside is None:
            return
        self.bites["failover_shard: connections to another history"] += 1
        if not self.accepts_other_history:
            raise UnsafeShard(
                f"shard {self.origin.shard} of {self.origin.region} was restored, cloned or promoted since its "
                "identity was noted: as it is, it could mint dots a second time; point its DSN at the original server"
            )
        if not self._is_used:
            self._is_used = True
            self._rewound(self._lacking)

    def _step_down(self) -> bool:
        """Stop, if it runs; returns whether it did."""
        was_alive = self.host.alive
        if was_alive:
            self._stop("failover_shard")
        return was_alive

    def _rewound(self, transactions: Sequence[int]) -> None:
        if self._observer is not None:
            self._observer.observe(Rewound(at=self.loop.now(), shard=self.origin, transactions=transactions))

    # -- prepared transactions ------------------------------------------------------------------------------------

    def prepare_and_forget(self) -> None:
        """Somebody else's transaction holds a number open and some records locked, is prepared, and is forgotten. It
        survives crashes. (``atoll.write`` commits by itself: none of Atoll's own transactions can be prepared.)"""
        records = sorted(self.content.shard.records)
        count = min(len(records), self._random.randint(0, PREPARED_RECORDS_MAX))
        self.prepare(self._random.sample(records, count))

    def prepare(self, records: Sequence[RecordId]) -> None:
        """The same with these records, as far as nobody else holds them."""
        transaction = self.begin()
        transaction.numbered()
        keys = [record_lock(record).key for record in sorted(records)]
        transaction.keys = [key for key in keys if self.try_lock(transaction, key)]
        self._prepared.append(transaction)
        self._bite("prepared_transaction: records locked", len(transaction.keys))

    def resolve(self, commit: bool) -> None:
        """The oldest prepared transaction is found, and committed or rolled back; it has changed nothing itself."""
        transaction = self._prepared.pop(0)
        self.bites[f"prepared_transaction: {'committed' if commit else 'rolled back'}"] += 1
        if transaction.content is self.content and commit:
            self._journal.durable_transaction = max(self._journal.durable_transaction, transaction.numbered())
        transaction.content.shard.end(transaction.numbered())
        self._locks.release_all(transaction.serial)
