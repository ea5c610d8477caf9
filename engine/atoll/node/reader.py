"""The reader of a shard: requests that wait are merged into one statement.

A session's read is answered only from a snapshot that covers the session (promise I9): every remote batch that the
session has seen must be applied in full on this very shard. The region's own shards are read at their primary, which
always reflects what they acknowledged. A read that is not covered yet asks again until its deadline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from atoll.causality.cut import Cut
from atoll.crdt.codec import decode_record
from atoll.errors import AtollError, OutcomeUnknown, Overloaded, Unavailable
from atoll.ids import RecordId
from atoll.limits import (
    BACKOFF_SECONDS_MIN,
    READ_BATCH_MAX,
    READ_BESIDE_MIN,
    READ_QUEUE_MAX,
    READS_IN_FLIGHT_PER_SHARD,
    SESSION_POLL_SECONDS_MAX,
    SESSION_POLL_SECONDS_MIN,
)
from atoll.node.desk import Desk
from atoll.node.failures import report_failure
from atoll.node.pending import Pending
from atoll.node.progress import RegionProgress
from atoll.ports import Outcome, ReadResult, StoredRecord
from atoll.requests import Found

_ABSENT = Found(None)


class Reader:
    """Reads what :meth:`put` brings, with at most ``READS_IN_FLIGHT_PER_SHARD`` statements at a time."""

    __slots__ = ("_desk", "_poll_seconds", "_progress", "_queue", "_tasks", "_uncovered", "_watch")

    def __init__(self, desk: Desk, progress: RegionProgress) -> None:
        self._desk = desk
        self._progress = progress
        self._queue: deque[Pending] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._uncovered: list[Pending] = []
        self._watch: asyncio.Task[None] | None = None
        self._poll_seconds = SESSION_POLL_SECONDS_MIN

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, pending: Pending) -> None:
        """Queue a read, or finish it with :class:`Overloaded` if the queue is full; :meth:`kick` starts it."""
        if len(self._queue) >= READ_QUEUE_MAX:
            pending.finish(
                Overloaded(f"{READ_QUEUE_MAX:,} reads wait for shard {self._desk.origin}: try again in a moment")
            )
            return
        self._queue.append(pending)

    def kick(self) -> None:
        """Start statements for what waits, as far as the bound allows."""
        while self._queue and self._may_start():
            task = asyncio.create_task(self._statement(self._take()))
            self._tasks.add(task)
            task.add_done_callback(self._statement_ended)

    def _may_start(self) -> bool:
        if len(self._tasks) >= READS_IN_FLIGHT_PER_SHARD:
            return False
        return not self._tasks or len(self._queue) >= READ_BESIDE_MIN

    async def close(self) -> None:
        """Give up what is in flight."""
        tasks = [*self._tasks, *([self._watch] if self._watch else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self) -> dict[RecordId, list[Pending]]:
        """The next reads, up to ``READ_BATCH_MAX`` distinct records."""
        queue = self._queue
        group: dict[RecordId, list[Pending]] = {}
        while queue and len(group) < READ_BATCH_MAX:
            pending = queue.popleft()
            if not pending.finished:
                group.setdefault(pending.id, []).append(pending)
        return group

    def _statement_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self.kick()

    async def _statement(self, group: dict[RecordId, list[Pending]]) -> None:
        if not group:
            return
        started = self._desk.now()
        try:
            result = await self._desk.store.read(list(group))
            self._desk.answered(result.progress, len(group), self._desk.now() - started)
            self._answer(group, result)
        except (Unavailable, OutcomeUnknown) as error:
            await self._postpone(group, error)
        except Exception as error:
            if not isinstance(error, AtollError):
                report_failure(f"the reader of shard {self._desk.origin}", error)
                error = Unavailable(f"the reader of shard {self._desk.origin} failed: {error!r}")
            for pending in _all(group):
                pending.finish(error)

    def _answer(self, group: dict[RecordId, list[Pending]], result: ReadResult) -> None:
        seen, covered = result.progress.seen(), result.progress.covered()
        for (id, pendings), outcome, stored in zip(group.items(), result.outcomes, result.records, strict=True):
            if outcome is not Outcome.DONE:
                self._desk.fenced(pendings)
                continue
            for pending in pendings:
                batch = pending.batch
                if batch.remote and not covered.covers(batch.remote):
                    self._not_covered(pending, covered)
                    continue
                try:
                    found = self._found(id, stored)
                except AtollError as error:
                    pending.finish(type(error)(f"{id.collection}/{id.key} on shard {self._desk.origin}: {error}"))
                    continue
                if pending.missing is not None:
                    self._desk.waited(self._desk.now() - pending.waits_since)
                batch.session.read(seen)
                pending.finish(found)

    def _found(self, id: RecordId, stored: StoredRecord | None) -> Found:
        """Each caller's own value: what one does to it must not reach another, nor a record that is kept."""
        if stored is None:
            return _ABSENT
        known = self._desk.records.peek(id, stored.context)
        if known is None:
            return Found(decode_record(stored.context, stored.state).value())
        return Found(_own(known.value()))

    # -- reads that wait ------------------------------------------------------------------------------------------

    def _not_covered(self, pending: Pending, covered: Cut) -> None:
        if pending.missing is None:
            pending.waits_since = self._desk.now()
        pending.missing = covered.missing(pending.batch.remote)
        pending.reached = covered
        self._uncovered.append(pending)
        if self._watch is None or self._watch.done():
            self._poll_seconds = SESSION_POLL_SECONDS_MIN
            self._watch = asyncio.create_task(self._ask_again())

    async def _ask_again(self) -> None:
        while self._uncovered:
            # Replication may run in another process: then nothing rings and the pause decides.
            await self._progress.changed_within(self._poll_seconds)
            self._poll_seconds = min(self._poll_seconds * 2, SESSION_POLL_SECONDS_MAX)
            self._queue.extend(pending for pending in self._uncovered if not pending.finished)
            self._uncovered.clear()
            self.kick()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _postpone(self, group: dict[RecordId, list[Pending]], error: AtollError) -> None:
        """The shard is away: try again until the callers' deadlines."""
        pendings = [pending for pending in _all(group) if not pending.finished]
        for pending in pendings:
            pending.trouble = (
                error if isinstance(error, Unavailable) else Unavailable(f"shard {self._desk.origin}: {error}")
            )
        await self._desk.pause(BACKOFF_SECONDS_MIN)
        self._queue.extendleft(reversed(pendings))


def _all(group: dict[RecordId, list[Pending]]) -> Sequence[Pending]:
    return [pending for pendings in group.values() for pending in pendings]


def _own(value: Any) -> Any:
    """A value that shares no container with the record."""
    if type(value) is list:
        return [_own(item) for item in value]
    if type(value) is dict:
        return {key: _own(item) for key, item in value.items()}
    return value
