"""Known bugs, one switch each: every one must be found by the simulator within its budget of seeds.

A mutant replaces one production function for as long as its context is open; production code has no switches. Each
says which promise it breaks and which scenario is to find it. A mutant that survives means that the simulator would
not notice the real bug either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from atoll.simulation.storage.database import Database

from atoll.causality.cut import Cut
from atoll.crdt import add_wins_set, lww
from atoll.crdt.counter import Counter, Row
from atoll.crdt.entries import Entries, Knowledge
from atoll.crdt.lww import LastWriterWins
from atoll.errors import AtollError
from atoll.ids import RecordId, RegionName
from atoll.instant import LOGICAL_BITS, Timestamp
from atoll.keyspace.topology import Topology
from atoll.node.barrier import Barrier
from atoll.node.clock_keeper import ClockKeeper
from atoll.node.minting import CounterMint
from atoll.node.pending import Stage
from atoll.node.reader import Reader
from atoll.node.record_cache import RecordCache
from atoll.node.replication.intake import Intake
from atoll.node.session import Session
from atoll.node.writer import Writer
from atoll.ports import ApplyResult, CounterBlock, Progress, RowWrite
from atoll.replication.inbox import Inbox
from atoll.replication.residency import ZoneSet
from atoll.shard_values import ReadResult
from atoll.simulation.storage.memory_shard import MemoryShard

Replacement = tuple[Any, str, Any]
"""An object, the name of its attribute, and what stands there instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One bug. ``scenario`` finds it within ``seeds`` seeds."""

    name: str
    bug: str
    promise: str
    scenario: str
    replacements: Sequence[Replacement]
    seeds: int = 20

    @contextmanager
    def alive(self) -> Iterator[None]:
        """The bug is in the code for the length of the block."""
        with ExitStack() as stack:
            for target, attribute, replacement in self.replacements:
                stack.enter_context(patch.object(target, attribute, replacement))
            yield


MUTANTS: dict[str, Mutant] = {}


def _mutant(name: str, promise: str, scenario: str, bug: str, *replacements: Replacement, seeds: int = 20) -> None:
    assert name not in MUTANTS, f"{name} is there already"
    MUTANTS[name] = Mutant(
        name=name, bug=bug, promise=promise, scenario=scenario, replacements=replacements, seeds=seeds
    )


# -- merging ------------------------------------------------------------------------------------------------------


def _join_that_forgets_removals(
    key: Any, mine: Entries, theirs: Entries, _my: Knowledge, _their: Knowledge
) -> Entries:
    return tuple(sorted({*mine, *theirs}, key=lambda entry: entry[:2]))


_mutant(
    "tombstone-dropped",
    "I3",
    "everything-at-once",
    "a join keeps what the other side has removed",
    (add_wins_set, "join_entries", _join_that_forgets_removals),
    (lww, "join_entries", _join_that_forgets_removals),
)


def _last_arrival_wins(
    _self: LastWriterWins, mine: Entries, theirs: Entries, _my: Knowledge, _their: Knowledge
) -> Entries:
    return theirs or mine


_mutant(
    "lww-by-arrival",
    "I3",
    "everything-at-once",
    "the write that arrives last wins, whatever its timestamp",
    (LastWriterWins, "join", _last_arrival_wins),
)


def _adding_join(_self: Counter, mine: Any, theirs: Any, _my: Knowledge, _their: Knowledge) -> Any:
    joined = {row.actor: row for row in mine}
    for row in theirs:
        held = joined.get(row.actor)
        total = row.total + held.total if held and row.dot > held.dot else row.total
        joined[row.actor] = Row(row.actor, max(row.dot, held.dot if held else 0), total, row.seen, row.base)
    return tuple(joined[actor] for actor in sorted(joined))


_mutant(
    "counter-adds-states",
    "I3",
    "everything-at-once",
    "joining a counter adds the totals of two states of one actor",
    (Counter, "join", _adding_join),
)


def _wall_clock_only(self: ClockKeeper) -> Timestamp:
    return Timestamp(self._clock.wall_ms() << LOGICAL_BITS)


_mutant(
    "lww-by-wall-clock",
    "I4",
    "slow-clock-in-sydney",
    "timestamps are the wall clock's, not the hybrid clock's",
    (ClockKeeper, "tick", _wall_clock_only),
)

# -- writing ------------------------------------------------------------------------------------------------------


def _forget_doubts(self: Writer, merged: Any, error: AtollError) -> None:
    """As :meth:`Writer._doubt`, but the attempt is not remembered."""
    for entry in merged:
        self._desk.records.forget(entry.row.id)
        for pending in entry.pendings:
            pending.stage = Stage.WAITING
            pending.trouble = error


_mutant(
    "retry-without-doubt",
    "I1",
    "ambiguous-commits",
    "a write whose commit lost its answer is simply done again",
    (Writer, "_doubt", _forget_doubts),
)


_commit = Writer._commit


async def _acknowledge_first(self: Writer, merged: Any) -> None:
    for entry in merged:
        self._done(entry, 0)
    await _commit(self, merged)


_mutant(
    "acknowledged-before-commit",
    "I1",
    "ambiguous-commits",
    "a write is acknowledged when it is sent, not when it is committed",
    (Writer, "_commit", _acknowledge_first),
)


async def _lease_from_memory(self: CounterMint, count: int) -> CounterBlock:
    first = self._last + 1
    return CounterBlock(first, first + count - 1)


async def _take_from_memory(self: CounterMint, count: int, above: int) -> int:
    self._next = max(self._next, above + 1)
    first, self._next = self._next, self._next + count
    return first


_mutant(
    "dots-from-memory",
    "I2",
    "rolling-restart",
    "dot counters are counted in memory, from what the record has seen, and not leased",
    (CounterMint, "_lease", _lease_from_memory),
    (CounterMint, "take", _take_from_memory),
)


def _always_open(_self: Barrier, _cut: Cut, _target: Any) -> bool:
    return True


_mutant(
    "no-barrier",
    "I4",
    "everything-at-once",
    "a write commits although batches its session depends on do not exist yet",
    (Barrier, "open_for", _always_open),
)


_raise_bound = ClockKeeper._raise_bound


async def _bound_in_memory(self: ClockKeeper) -> None:
    from atoll.node.clock_keeper import _bound_above

    self._bound = _bound_above(self._clock.wall_ms() + 60_000, Timestamp(0))


async def _open_without_floor(clock: Any, _catalog: Any) -> ClockKeeper:
    from atoll.node.clock_keeper import _bound_above

    return ClockKeeper(clock, _catalog, Timestamp(0), _bound_above(clock.wall_ms(), Timestamp(0)))


_mutant(
    "clock-bound-not-persisted",
    "I14",
    "time-server-gone-mad",
    "a node starts from its wall clock, not from the bound that was persisted",
    (ClockKeeper, "_raise_bound", _bound_in_memory),
    (ClockKeeper, "open", staticmethod(_open_without_floor)),
)

# -- sessions -----------------------------------------------------------------------------------------------------


def _answer_anything(self: Reader, group: Any, result: ReadResult) -> None:
    for pendings in group.values():
        for pending in pendings:
            pending.batch.remote = Cut.EMPTY
    _answer(self, group, result)


_answer = Reader._answer

_mutant(
    "session-ignored",
    "I9",
    "everything-at-once",
    "a read is answered although the shard has not applied what the session has seen elsewhere",
    (Reader, "_answer", _answer_anything),
)


def _reads_are_forgotten(_self: Session, _seen: Cut) -> None:
    return None


_mutant(
    "token-not-merged-on-read",
    "I9",
    "everything-at-once",
    "a session remembers what it wrote, but not what it read",
    (Session, "read", _reads_are_forgotten),
)


def _seen_too_little(self: Progress) -> Cut:
    return self.begun.advanced(self.origin, self.captured)


_mutant(
    "token-names-last-batch",
    "I9",
    "everything-at-once",
    "a session's token names the last captured batch, not the one its write will be in",
    (Progress, "seen", _seen_too_little),
)

# -- capture and replication --------------------------------------------------------------------------------------


_capture = MemoryShard.capture


def _capture_by_sequence(self: MemoryShard) -> Any:
    still_open, self.open = self.open, set()
    try:
        return _capture(self)
    finally:
        self.open = still_open


_mutant(
    "capture-by-sequence",
    "I5",
    "everything-at-once",
    "a batch ends at the highest transaction number, and skips what is still open below it",
    (MemoryShard, "capture", _capture_by_sequence),
)


def _everything_is_ready(_self: Inbox, _held: Any) -> bool:
    return True


_mutant(
    "no-causal-gate",
    "I4",
    "everything-at-once",
    "a batch is applied although what it depends on has not arrived",
    (Inbox, "_is_ready", _everything_is_ready),
)


_join = MemoryShard.join


def _join_over_bytes(self: MemoryShard, begins: Cut, completes: Cut, rows: Any) -> ApplyResult:
    """Rows are taken as bytes whatever the local context is."""
    return _join(self, begins, completes, [row._replace(previous_context=_held_context(self, row)) for row in rows])


def _held_context(shard: MemoryShard, row: Any) -> bytes:
    held = shard.records.get(row.id)
    return held.context if held else row.previous_context


_mutant(
    "apply-overwrites",
    "I3",
    "everything-at-once",
    "a remote row replaces the local one although both sides have changed",
    (MemoryShard, "join", _join_over_bytes),
)


def _first_row_is_skipped(self: MemoryShard, begins: Cut, completes: Cut, rows: Any) -> ApplyResult:
    return _join(self, begins, completes, rows[1:] if len(rows) > 1 else rows)


_mutant(
    "apply-skips-a-row",
    "I5",
    "everything-at-once",
    "a batch counts as applied although one of its rows was left out",
    (MemoryShard, "join", _first_row_is_skipped),
)


def _collect_early(self: MemoryShard, _members: Sequence[RegionName]) -> int:
    return _collect(self, ())


_collect = MemoryShard.collect

_mutant(
    "collected-early",
    "I11",
    "atlantic-cable-cut",
    "batches are deleted before the other regions have them",
    (MemoryShard, "collect", _collect_early),
)


def _applied_on_arrival(self: Intake, batch: Any) -> None:
    _accept(self, batch)
    for shard in self._site.stores:
        self._progress.learn(shard, Cut({batch.origin: batch.number}))


_accept = Intake.accept

_mutant(
    "acknowledged-on-arrival",
    "I11",
    "everything-at-once",
    "a region says that it has applied what has only arrived",
    (Intake, "accept", _applied_on_arrival),
)


def _no_empty_batch(self: MemoryShard) -> Any:
    return _capture(self) if self.progress().pending else None


_mutant(
    "no-empty-batch",
    "I9",
    "everything-at-once",
    "no empty batch follows a full one, so the number that a token names never comes",
    (MemoryShard, "capture", _no_empty_batch),
)


def _overwriting_join(self: Cut, other: Cut) -> Cut:
    return Cut({**self, **other})


_mutant(
    "cut-overwritten",
    "I9",
    "everything-at-once",
    "joining two cuts takes the entries of the second, even if they are smaller",
    (Cut, "join", _overwriting_join),
)


def _any_context(self: RecordCache, id: RecordId, _context: bytes) -> Any:
    found = self._known.get(id)
    return found.record if found is not None else None


_mutant(
    "cache-believed",
    "I9",
    "everything-at-once",
    "a reader takes a record from the cache without comparing its context with the shard's",
    (RecordCache, "peek", _any_context),
)


def _deaf_clock(_self: ClockKeeper, _remote: Timestamp) -> None:
    return None


_mutant(
    "clock-ignores-others",
    "I4",
    "slow-clock-in-sydney",
    "a node's clock does not move past the timestamps that it sees",
    (ClockKeeper, "observe", _deaf_clock),
)


def _every_zone(topology: Topology, region: RegionName) -> ZoneSet:
    return ZoneSet(region, topology.zones)


_mutant(
    "residency-ignored",
    "I8",
    "residency-under-partition",
    "both ends of a link believe that every region may hold every zone",
    (ZoneSet, "of", staticmethod(_every_zone)),
)


_write_row = MemoryShard._write_row


def _write_over(self: MemoryShard, transaction: int, write: RowWrite) -> Any:
    held = self.records.get(write.id)
    return _write_row(self, transaction, replace(write, previous_context=held.context if held else b""))


_mutant(
    "write-without-comparison",
    "I1",
    "everything-at-once",
    "a write replaces the record although somebody has changed it since it was read",
    (MemoryShard, "_write_row", _write_over),
)


_mutant(
    "stale-history-accepted",
    "I2",
    "shard-fails-over-mid-write",
    "a replica that lagged is used after its promotion as if it were the original",
    (Database, "accepts_other_history", True),
)
