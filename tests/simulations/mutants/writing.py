"""Slips on the way of a write: what is written, once, and what its caller is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.simulations.mutants.mutant import Mutant, Replacement

from atoll.causality.cut import join_all
from atoll.client.parcel import Parcel
from atoll.errors import AtollError, OutcomeUnknown
from atoll.limits import GROUP_RECORDS_MAX
from atoll.node import forwarding
from atoll.node.barrier import Barrier
from atoll.node.forwarding import Forwarder
from atoll.node.holding import HeldWrites
from atoll.node.merging import MergedRow, merge_row
from atoll.node.minting import CounterMint
from atoll.node.pending import Pending, Stage
from atoll.node.writer import WRITTEN, Group, Writer
from atoll.ports import CounterBlock
from atoll.simulation.storage import simulated_store


def _forget_doubts(self: Writer, merged: Any, error: AtollError) -> None:
    """As :meth:`Writer._doubt`, but the attempt is not remembered."""
    for entry in merged:
        self._desk.records.forget(entry.row.id)
        for pending in entry.pendings:
            pending.stage = Stage.WAITING
            pending.trouble = error


def _believe_doubts(self: Writer, merged: Any, _error: AtollError) -> None:
    for entry in merged:
        self._desk.records.forget(entry.row.id)
        for pending in entry.pendings:
            pending.finish(WRITTEN)


_commit = Writer._commit


async def _acknowledge_first(self: Writer, merged: Any) -> None:
    for entry in merged:
        self._done(entry, 0)
    await _commit(self, merged)


async def _write_late(self: Writer, group: Group) -> None:
    """As :meth:`Writer._write`, without a last look at who has expired meanwhile."""
    desk = self._desk
    known = await self._states(group)
    if not known:
        return
    await desk.clock.prepare()
    highest = max(state.record.context.highest(desk.actor) for state in known.values())
    counter = await desk.mint.take(sum(len(group[id]) for id in known), highest)
    merged: list[MergedRow] = []
    for id, state in known.items():
        row = merge_row(id, state, group[id], desk.actor, counter, desk.clock.tick)
        counter += len(group[id])
        if row is not None:
            merged.append(row)
    if merged:
        await self._commit(merged)


def _take_expired(self: Writer) -> Group:
    """As :meth:`Writer._take`, which also takes what has expired in the queue."""
    group: Group = {}
    while self._queue and len(group) < GROUP_RECORDS_MAX:
        pending = self._queue.popleft()
        waiting = self._busy if pending.id in self._busy and pending.id not in group else group
        waiting.setdefault(pending.id, []).append(pending)
    self._busy.update((id, []) for id in group)
    return group


def _requeue_expired(self: Writer, pendings: Iterable[Pending]) -> None:
    self._queue.extendleft(reversed(list(pendings)))


_why_late = Pending.why_late


def _why_late_if_unsent(self: Pending) -> AtollError:
    """As :meth:`Pending.why_late` for a write that is still waiting."""
    kept = self.doubts, self.stage
    self.doubts, self.stage = (), Stage.WAITING
    try:
        return _why_late(self)
    finally:
        self.doubts, self.stage = kept


def _all_again(self: Parcel, _error: AtollError) -> Parcel:
    return self.part(self.items)


def _all_elsewhere(_self: Forwarder, pendings: Any, _error: OutcomeUnknown) -> Any:
    return [pending for pending in pendings if not pending.finished]


def _mark_nothing(_pendings: Any, _stage: Stage) -> None:
    """Nothing."""


async def _lease_from_memory(self: CounterMint, count: int) -> CounterBlock:
    return CounterBlock(self._last + 1, self._last + count)


async def _take_from_memory(self: CounterMint, count: int, above: int) -> int:
    self._next = max(self._next, above + 1)
    first, self._next = self._next, self._next + count
    return first


def _has_any(self: CounterMint, count: int, _above: int) -> bool:
    return self._last - self._next + 1 >= count


def _always_open(_self: Barrier, _cut: Any, _target: Any) -> bool:
    return True


def _missing_anywhere(self: Barrier, cut: Any, target: Any) -> Any:
    """The rule before: what a sibling of the shard has begun to apply exists, and that is enough."""
    beyond = self._existing.beyond(cut, target)
    return type(cut)((origin, number) for origin, number in beyond.items() if origin not in self._captures)


async def _captures_that_die(self: HeldWrites) -> None:
    """As :meth:`HeldWrites._wait_for_captures`, which does not expect that a shard may be away."""
    while self._near:
        round_, self._near = self._near, []
        cut = await self._barrier.settle(join_all(held.cut for held in round_), self._desk.origin)
        for held in round_:
            self._release(held, cut)
        self._writer.kick()


MUTANTS = (
    Mutant(
        name="retry-without-doubt",
        bug="a write whose commit lost its answer is simply done again",
        promise="I1",
        scenario="ambiguous-commits",
        replacements=[Replacement(Writer, "_doubt", _forget_doubts)],
    ),
    Mutant(
        name="doubt-taken-for-success",
        bug="a write whose commit lost its answer counts as written",
        promise="I1",
        scenario="ambiguous-commits",
        replacements=[Replacement(Writer, "_doubt", _believe_doubts)],
    ),
    Mutant(
        name="sent-and-denied",
        bug="the caller of a write that was sent is told at the deadline that nothing was written",
        promise="I1",
        scenario="forgotten-prepared-transaction",
        seconds=20.0,
        replacements=[Replacement(Pending, "why_late", _why_late_if_unsent)],
    ),
    Mutant(
        name="acknowledged-before-commit",
        bug="a write is acknowledged when it is sent, not when it is committed",
        promise="I1",
        scenario="ambiguous-commits",
        replacements=[Replacement(Writer, "_commit", _acknowledge_first)],
    ),
    Mutant(
        name="late-write",
        bug="a write that expired in the queue is written all the same",
        promise="I1",
        scenario="shard-fails-over-mid-write",
        seed=1,
        seconds=14.0,
        replacements=[
            Replacement(Writer, "_take", _take_expired),
            Replacement(Writer, "_write", _write_late),
            Replacement(Writer, "_requeue", _requeue_expired),
        ],
    ),
    Mutant(
        name="late-write-after-read",
        bug="a write that expired while its record was read is written all the same",
        promise="I1",
        scenario="slow-disk-in-dallas",
        seed=6,
        seconds=20.0,
        budget=20,
        replacements=[Replacement(Writer, "_write", _write_late)],
    ),
    Mutant(
        name="client-sends-again",
        bug="a client sends its writes again when the connection breaks",
        promise="I1",
        scenario="rolling-restart",
        seed=2,
        seconds=20.0,
        replacements=[Replacement(Parcel, "broken", _all_again)],
    ),
    Mutant(
        name="forwarded-elsewhere",
        bug="a forwarded write whose answer was lost is tried in the next region",
        promise="I1",
        scenario="residency-under-partition",
        replacements=[Replacement(Forwarder, "_only_reads", _all_elsewhere)],
    ),
    Mutant(
        name="forwarded-and-denied",
        bug="a forwarded write whose deadline passes says that nothing was written",
        promise="I1",
        scenario="residency-under-partition",
        replacements=[Replacement(forwarding, "_mark", _mark_nothing)],
    ),
    Mutant(
        name="dots-from-memory",
        bug="dot counters are counted in memory, from what the record has seen, and not leased",
        promise="I2",
        scenario="rolling-restart",
        replacements=[
            Replacement(CounterMint, "_lease", _lease_from_memory),
            Replacement(CounterMint, "take", _take_from_memory),
        ],
    ),
    Mutant(
        name="dots-below-context",
        bug="a process goes on with its block of counters below what the record has seen of another process",
        promise="I2",
        scenario="rolling-restart",
        seed=1,
        replacements=[Replacement(CounterMint, "_has", _has_any)],
    ),
    Mutant(
        name="no-barrier",
        bug="a write commits although batches that its session depends on do not exist yet",
        promise="I4",
        scenario="everything-at-once",
        replacements=[Replacement(Barrier, "open_for", _always_open)],
    ),
    Mutant(
        name="barrier-believes-siblings",
        bug="a write commits on a shard that has not joined what its session has seen, because another shard of the "
        "region has",
        promise="I4",
        scenario="roaming-beside-a-crashing-sibling",
        replacements=[Replacement(Barrier, "missing", _missing_anywhere)],
    ),
    Mutant(
        name="held-writes-lost",
        bug="the task that holds writes back dies when a shard is away",
        promise="I13",
        scenario="roaming-beside-a-crashing-sibling",
        replacements=[Replacement(HeldWrites, "_wait_for_captures", _captures_that_die)],
    ),
    Mutant(
        name="other-history-unforeseen",
        bug="a process that holds a shard open does not expect to be told that its server has another history",
        promise="I13",
        scenario="shard-fails-over-mid-write",
        replacements=[Replacement(simulated_store, "_connect_again", simulated_store._connect)],
    ),
)
