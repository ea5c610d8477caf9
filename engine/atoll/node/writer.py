"""The writer of a shard, and its group commit.

What waits is taken, up to a group, and written in one transaction. While the shard flushes one group the next may
start beside it, in another *lane*, but only if enough waits to be worth a transaction of its own: group sizes adapt
to the load by that rule alone. A record is in at most one group in flight, so within a process writes never race;
writers in other processes are met by the shard's comparison of contexts, which sends the loser round again.

An attempt whose outcome is unknown is a *doubt*: (context it was made on, greatest counter of its row). Nothing is
assumed about it until the record has been read again:

- the record's greatest counter of this actor is the doubt's: the attempt is in, the operations are done;
- the context is still the one it was made on: it is not in yet and may still land. Trying again on the same context
  is safe, since only one of the two can be accepted;
- the context is another one and the greatest counter is below the doubt's: it can never land; try again;
- another process has written the record with a greater counter since: its context covers the doubt's dot whether or
  not the attempt came first, so nobody can tell. The caller is told exactly that (``OutcomeUnknown``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from atoll.causality.cut import Cut
from atoll.crdt.codec import decode_record
from atoll.errors import AtollError, CallerError, OutcomeUnknown, Overloaded, Unavailable
from atoll.ids import RecordId
from atoll.limits import (
    BACKOFF_SECONDS_MIN,
    GROUP_BESIDE_MIN,
    GROUP_RECORDS_MAX,
    WRITE_ATTEMPTS_MAX,
    WRITE_LANES_PER_SHARD,
    WRITE_QUEUE_MAX,
)
from atoll.node.desk import Desk
from atoll.node.failures import report_failure
from atoll.node.merging import MergedRow, merge_row
from atoll.node.pending import Doubt, Pending, Stage
from atoll.node.record_cache import NO_ROW, Known
from atoll.node.waiting import cancel_and_wait
from atoll.ports import Outcome, StoredRecord
from atoll.requests import Written

Group = dict[RecordId, list[Pending]]

WRITTEN: Final = Written()


class Writer:
    """Writes what :meth:`put` brings, in at most ``WRITE_LANES_PER_SHARD`` groups at a time."""

    __slots__ = ("_busy", "_desk", "_lanes", "_queue")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._queue: deque[Pending] = deque()
        self._busy: dict[RecordId, list[Pending]] = {}
        """Records of groups in flight, each with the operations that came for it since."""
        self._lanes: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._queue) + sum(map(len, self._busy.values()))

    def put(self, pending: Pending) -> None:
        """Queue a write, or finish it with :class:`Overloaded` if the queue is full; :meth:`kick` starts it."""
        if len(self._queue) >= WRITE_QUEUE_MAX:
            pending.finish(
                Overloaded(f"{WRITE_QUEUE_MAX:,} writes wait for shard {self._desk.origin}: try again in a moment")
            )
            return
        self._queue.append(pending)

    def kick(self) -> None:
        """Start groups for what waits, as far as the lanes allow."""
        while self._queue and self._may_start() and (group := self._take()):
            lane = asyncio.create_task(self._run(group))
            self._lanes.add(lane)
            lane.add_done_callback(self._lane_ended)

    async def close(self) -> None:
        """Give up what is in flight; what was sent may still commit."""
        await cancel_and_wait(*self._lanes)

    # -- one group ------------------------------------------------------------------------------------------------

    def _may_start(self) -> bool:
        if len(self._lanes) >= WRITE_LANES_PER_SHARD:
            return False
        return not self._lanes or len(self._queue) >= GROUP_BESIDE_MIN

    def _take(self) -> Group:
        """The next operations, up to ``GROUP_RECORDS_MAX`` distinct records, none of which is in flight."""
        queue, busy = self._queue, self._busy
        group: Group = {}
        while queue and len(group) < GROUP_RECORDS_MAX:
            pending = queue.popleft()
            if pending.finished:
                continue
            if pending.id in group:
                group[pending.id].append(pending)
            elif pending.id in busy:
                busy[pending.id].append(pending)
            else:
                group[pending.id] = [pending]
        for id in group:
            busy[id] = []
        return group

    async def _run(self, group: Group) -> None:
        """Write a group. One that fails for an unforeseen reason fails alone."""
        ids = list(group)
        pause_seconds = 0.0
        try:
            await self._write(group)
        except (Unavailable, OutcomeUnknown) as error:  # never sent, or in doubt and queued again
            self._postpone(group, error)
            pause_seconds = BACKOFF_SECONDS_MIN
        except AtollError as error:
            _finish_all(group, error)
        except Exception as error:
            _finish_all(group, OutcomeUnknown(f"the writer of shard {self._desk.origin} failed: {error!r}"))
            report_failure(f"the writer of shard {self._desk.origin}", error)
        if pause_seconds:
            await self._desk.pause(pause_seconds)
        for id in reversed(ids):
            self._queue.extendleft(reversed(self._busy.pop(id)))

    def _lane_ended(self, lane: asyncio.Task[None]) -> None:
        self._lanes.discard(lane)
        if not lane.cancelled():
            self.kick()

    async def _write(self, group: Group) -> None:
        desk = self._desk
        known = await self._states(group)
        if not known:
            return
        await desk.clock.prepare()
        count = sum(len(group[id]) for id in known)
        actor, tick = desk.actor, desk.clock.tick
        highest = max(state.record.context.highest(actor) for state in known.values())
        counter = await desk.mint.take(count, highest)
        merged: list[MergedRow] = []
        for id, state in known.items():
            # What expired while we waited must not be written, its caller was told so: no await until it is sent.
            pendings = [pending for pending in group[id] if not pending.finished]
            row = merge_row(id, state, pendings, actor, counter, tick)
            counter += len(group[id])
            if row is not None:
                merged.append(row)
        if merged:
            await self._commit(merged)

    async def _commit(self, merged: Sequence[MergedRow]) -> None:
        desk = self._desk
        for entry in merged:
            for pending in entry.pendings:
                pending.stage = Stage.SENT
        started = desk.now()
        try:
            result = await desk.store.write([entry.row for entry in merged], self._dependencies(merged))
        except OutcomeUnknown as error:
            self._doubt(merged, error)
            raise
        except CallerError as error:
            await self._isolate(merged, error)
            return
        desk.committed(result.progress, len(merged), desk.now() - started)
        number = result.progress.seen().at(desk.origin)
        for entry, outcome in zip(merged, result.outcomes, strict=True):
            match outcome:
                case Outcome.DONE:
                    self._desk.records.put(entry.row.id, entry.after)
                    self._done(entry, number)
                case Outcome.STALE:
                    self._again(entry)
                case Outcome.FENCED:
                    self._fenced(entry.row.id, entry.pendings)

    def _dependencies(self, merged: Sequence[MergedRow]) -> Cut:
        """What the group's sessions had seen, without what the shard's own progress implies."""
        needed = Cut.EMPTY
        last: Cut | None = None
        for entry in merged:
            for pending in entry.pendings:
                if pending.dependencies is not last:
                    last = pending.dependencies
                    needed = needed.join(last)
        return self._desk.beyond_own_progress(needed)

    # -- reading states -------------------------------------------------------------------------------------------

    async def _states(self, group: Group) -> Mapping[RecordId, Known]:
        """The records of the group that can be written now, by cache or by one read; settles doubts on the way."""
        states: dict[RecordId, Known] = {}
        missing: list[RecordId] = []
        for id, pendings in group.items():
            found = None if any(pending.doubts for pending in pendings) else self._desk.records.get(id)
            if found is None:
                missing.append(id)
            else:
                states[id] = found
        if missing:
            await self._read(missing, group, states)
        return states

    async def _read(self, missing: Sequence[RecordId], group: Group, states: dict[RecordId, Known]) -> None:
        result = await self._desk.store.read(missing)
        self._desk.learn(result.progress)
        number = result.progress.seen().at(self._desk.origin)
        for id, outcome, stored in zip(missing, result.outcomes, result.records, strict=True):
            if outcome is not Outcome.DONE:
                self._fenced(id, group.pop(id))
                continue
            try:
                known = self._decode(stored)
            except AtollError as error:
                _finish_all({id: group.pop(id)}, error)
                continue
            if open_pendings := self._settle_doubts(known, group[id], number):
                group[id] = open_pendings
                states[id] = known
            else:
                del group[id]

    def _decode(self, stored: StoredRecord | None) -> Known:
        if stored is None:
            return NO_ROW
        record = decode_record(stored.context, stored.state)
        self._desk.clock.observe(record.latest())
        return Known(record, stored.context)

    def _settle_doubts(self, known: Known, pendings: Sequence[Pending], number: int) -> list[Pending]:
        """Finish what turns out to be written or beyond knowing; returns the operations to try (again)."""
        highest = known.record.context.highest(self._desk.actor)
        again = []
        for pending in pendings:
            if any(doubt.counter == highest for doubt in pending.doubts):
                pending.batch.session.wrote(self._desk.origin, number, self._desk.clock.last)
                pending.finish(WRITTEN)
            elif any(doubt.counter < highest and doubt.context != known.context for doubt in pending.doubts):
                pending.finish(pending.why_late())
            else:
                pending.doubts = tuple(doubt for doubt in pending.doubts if doubt.context == known.context)
                again.append(pending)
        return again

    # -- outcomes -------------------------------------------------------------------------------------------------

    def _done(self, entry: MergedRow, number: int) -> None:
        origin, stamp = self._desk.origin, entry.row.timestamp
        for pending in entry.pendings:
            pending.batch.session.wrote(origin, number, stamp)
            pending.finish(WRITTEN)

    def _again(self, entry: MergedRow) -> None:
        """Another process wrote the record first: read it and go round."""
        self._desk.stale(1)
        self._desk.records.forget(entry.row.id)
        for pending in entry.pendings:
            pending.stage = Stage.WAITING
            pending.tries += 1
            if pending.tries >= WRITE_ATTEMPTS_MAX:
                pending.finish(
                    Overloaded(
                        f"{pending.id.collection}/{pending.id.key} was written by other processes {pending.tries} "
                        "times before this write: try again in a moment"
                    )
                )
        self._requeue(entry.pendings)

    def _fenced(self, id: RecordId, pendings: Sequence[Pending]) -> None:
        self._desk.records.forget(id)
        for pending in pendings:
            pending.stage = Stage.WAITING
        self._desk.fenced(pendings)

    def _doubt(self, merged: Sequence[MergedRow], error: OutcomeUnknown) -> None:
        """The connection broke after the group was sent: to be settled by reading the records again."""
        for entry in merged:
            self._desk.records.forget(entry.row.id)
            doubt = Doubt(entry.row.previous_context, entry.row.counter)
            for pending in entry.pendings:
                pending.stage = Stage.WAITING
                pending.doubts = (*pending.doubts, doubt)
                pending.trouble = error

    def _postpone(self, group: Group, error: AtollError) -> None:
        """Nobody answered. A shard that is away is tried until the callers' deadlines."""
        trouble = error if isinstance(error, Unavailable) else Unavailable(f"shard {self._desk.origin}: {error}")
        for pendings in group.values():
            for pending in pendings:
                pending.stage = Stage.WAITING
                pending.trouble = trouble
            self._requeue(pendings)

    async def _isolate(self, merged: Sequence[MergedRow], error: CallerError) -> None:
        """The shard refused something in the group: write row by row, so that only the culprit fails."""
        if len(merged) > 1:
            for entry in merged:
                await self._commit([entry])
            return
        for pending in merged[0].pendings:
            pending.finish(error)

    def _requeue(self, pendings: Iterable[Pending]) -> None:
        """To the head of the queue, in order: they have waited longest. They were counted when they came first."""
        self._queue.extendleft(reversed([pending for pending in pendings if not pending.finished]))


def _finish_all(group: Group, error: AtollError) -> None:
    for pendings in group.values():
        for pending in pendings:
            pending.finish(error)
