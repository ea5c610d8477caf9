"""The barrier: a write commits only when its shard has joined what its session has seen of other regions, and every
batch of its own region that the session depends on exists.

A batch names the batches it depends on, and receivers hold it until they have those. Were a write allowed to depend
on changes that no batch holds yet, two shards could name each other's *future* batches: a session that reads shard 1
and writes shard 2 beside one that reads shard 2 and writes shard 1 makes batch 5 of one wait for batch 8 of the other
and the reverse, and with steady traffic the chain never closes. With the barrier each dependency is captured before
the write that has it commits, so dependencies point backwards in time and form no cycle (promise I4).

What the session has seen of *other regions* must have been joined by the very shard that the write goes to, as for a
read. Else the write would be an effect in front of its causes on that shard, for every reader to see; and what takes
back what it sees (a removal, a replacement, a deletion) would find nothing to take back there, although the session
had seen it elsewhere.

What it costs: a session that has seen fresh changes of one shard and writes to another waits for one capture of the
first, a few milliseconds, which all writes of the moment share. A session that wrote in another region and writes
here waits until its region's batch has arrived; in a partition that wait ends with ``SessionNotCovered`` at the
deadline, as a read of that session does. Writes without a session never wait.

Why one capture suffices: everything a session has seen of a shard was visible in it when the session was told, and a
snapshot taken later sees it too. So a capture that *begins* after the session asks holds it all, whatever number the
session's cut gives as its upper bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from atoll.causality.cut import Cut
from atoll.errors import Unavailable
from atoll.ids import Origin
from atoll.limits import BACKOFF_SECONDS_MIN, CAPTURE_RETRY_SECONDS, SESSION_POLL_SECONDS_MAX
from atoll.node.desk import Desk
from atoll.node.existing import ExistingBatches
from atoll.node.waiting import cancel_and_wait


class Barrier:
    """Makes the dependencies of writes exist. ``desks`` are all shards of the region, by origin."""

    __slots__ = ("_captures", "_desks", "_existing")

    def __init__(self, desks: Mapping[Origin, Desk], existing: ExistingBatches) -> None:
        self._desks = desks
        self._existing = existing
        self._captures = {origin: _Captures(desk, existing) for origin, desk in desks.items()}

    def open_for(self, cut: Cut, target: Origin) -> bool:
        """Whether a write to ``target`` that depends on ``cut`` may commit now."""
        return not self._existing.beyond(cut, target) and not self.missing(cut, target)

    async def settle(self, cut: Cut, target: Origin) -> Cut:
        """The dependencies of a write to ``target`` once the region's own shards have captured their part of ``cut``.

        Entries are lowered to what the shard has captured where that is enough. Entries of other regions are left as
        they are, whether they exist or not. Raises :class:`Unavailable` when a shard does not answer.
        """
        beyond = self._existing.beyond(cut, target)
        needed = [origin for origin in beyond if origin in self._captures]
        numbers = await asyncio.gather(*(self._captures[origin].bound(beyond.at(origin)) for origin in needed))
        return Cut({**cut, **dict(zip(needed, numbers, strict=True))})

    def missing(self, cut: Cut, target: Origin) -> Cut:
        """The entries of other regions that ``target`` is not known to have joined."""
        return self._desks[target].applied.missing(cut.without_region(target.region))

    def reached(self, cut: Cut, target: Origin) -> Cut:
        """How far ``target`` is known to have joined the origins of ``cut``."""
        applied = self._desks[target].applied
        return Cut((origin, applied.at(origin)) for origin in cut)

    async def look(self, target: Origin) -> None:
        """Learn what the shard ``target`` has joined by now; called while entries of other regions miss."""
        desk = self._desks[target]
        try:
            desk.learn(await desk.store.progress())
        except Unavailable:
            await desk.pause(BACKOFF_SECONDS_MIN)
        await desk.pause(SESSION_POLL_SECONDS_MAX)

    async def close(self) -> None:
        """Give up captures in flight."""
        await asyncio.gather(*(captures.close() for captures in self._captures.values()))


class _Captures:
    """Captures of one shard on demand. Whoever asks while one runs shares the next."""

    __slots__ = ("_desk", "_existing", "_lock", "_next", "_rounds")

    def __init__(self, desk: Desk, existing: ExistingBatches) -> None:
        self._desk = desk
        self._existing = existing
        self._lock = asyncio.Lock()
        self._next: asyncio.Task[int] | None = None
        self._rounds: set[asyncio.Task[int]] = set()

    async def bound(self, number: int) -> int:
        """A batch that exists, at most ``number``, and is not before any change that was visible at the call."""
        if self._existing.at(self._desk.origin) >= number:
            return number
        if self._next is None:
            self._next = asyncio.create_task(self._round())
            self._rounds.add(self._next)
            self._next.add_done_callback(self._rounds.discard)
        return min(number, await asyncio.shield(self._next))

    async def _round(self) -> int:
        async with self._lock:
            self._next = None  # it begins: whoever comes from now on needs the next one
            while True:
                batch = await self._desk.store.capture()
                if batch is not None:
                    self._existing.note(batch.origin, batch.number)
                    return batch.number
                progress = await self._desk.store.progress()
                self._desk.learn(progress)
                if not progress.pending:
                    return progress.captured
                await self._desk.pause(CAPTURE_RETRY_SECONDS)  # another process captures

    async def close(self) -> None:
        await cancel_and_wait(*self._rounds)
