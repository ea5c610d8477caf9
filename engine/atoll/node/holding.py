"""Writes that are held back until what their sessions have seen is where it has to be (:mod:`atoll.node.barrier`).

Two queues, each with one task while it holds something: writes that need a capture of another shard of this region
all share the next one; writes that need their shard to join a batch of another region look every few milliseconds,
and hold up nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from atoll.causality.cut import Cut, join_all
from atoll.errors import OutcomeUnknown, Overloaded, Unavailable
from atoll.limits import BACKOFF_SECONDS_MIN, WRITE_QUEUE_MAX
from atoll.node.barrier import Barrier
from atoll.node.desk import Desk
from atoll.node.pending import Pending
from atoll.node.waiting import cancel_and_wait
from atoll.node.writer import Writer


class Held(NamedTuple):
    """Writes of one request and what they depend on."""

    cut: Cut
    pendings: Sequence[Pending]


class HeldWrites:
    """Holds writes to one shard and gives them to its writer when they may commit."""

    __slots__ = ("_barrier", "_count", "_desk", "_far", "_near", "_tasks", "_writer")

    def __init__(self, desk: Desk, barrier: Barrier, writer: Writer) -> None:
        self._desk = desk
        self._barrier = barrier
        self._writer = writer
        self._near: list[Held] = []
        self._far: list[Held] = []
        self._count = 0
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return self._count

    def hold(self, cut: Cut, pendings: Sequence[Pending]) -> None:
        """Hold writes back, or finish them with :class:`Overloaded` if too many are held."""
        if self._count + len(pendings) > WRITE_QUEUE_MAX:
            full = f"{WRITE_QUEUE_MAX:,} writes to shard {self._desk.origin} wait for what their sessions have seen"
            for pending in pendings:
                pending.finish(Overloaded(f"{full}: try again in a moment"))
            return
        self._count += len(pendings)
        self._add(Held(cut, pendings))

    async def close(self) -> None:
        """Give up. What is held is finished by its deadline."""
        await cancel_and_wait(*self._tasks.values())

    # -- the two queues -------------------------------------------------------------------------------------------

    def _add(self, held: Held) -> None:
        if self._barrier.missing(held.cut, self._desk.origin):
            self._far.append(held)
            self._run("far", self._wait_for_other_regions)
        else:
            self._near.append(held)
            self._run("near", self._wait_for_captures)

    def _run(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if name not in self._tasks or self._tasks[name].done():
            self._tasks[name] = asyncio.create_task(work())

    async def _wait_for_captures(self) -> None:
        """One capture of each shard that is needed, for all that wait."""
        while self._near:
            round_, self._near = self._near, []
            try:
                cut = await self._barrier.settle(join_all(held.cut for held in round_), self._desk.origin)
            except (Unavailable, OutcomeUnknown) as error:
                self._near = self._still_wanted(round_, error) + self._near
                await self._desk.pause(BACKOFF_SECONDS_MIN)
                continue
            for held in round_:
                self._release(held, cut)
            self._writer.kick()

    async def _wait_for_other_regions(self) -> None:
        while self._far:
            round_, self._far = self._far, []
            for held in round_:
                missing = self._barrier.missing(held.cut, self._desk.origin)
                reached = self._barrier.reached(missing, self._desk.origin)
                for pending in held.pendings:
                    pending.missing, pending.reached = missing or None, reached
                if not all(pending.finished for pending in held.pendings):
                    self._add(held)
                else:
                    self._count -= len(held.pendings)
            if self._far:
                await self._barrier.look(self._desk.origin)

    def _release(self, held: Held, cut: Cut) -> None:
        self._count -= len(held.pendings)
        for pending in held.pendings:
            if not pending.finished:
                pending.dependencies = cut
                self._writer.put(pending)

    def _still_wanted(self, round_: Sequence[Held], error: Unavailable | OutcomeUnknown) -> list[Held]:
        wanted = []
        trouble = Unavailable(f"what the session depends on could not be captured: {error}")
        for held in round_:
            for pending in held.pendings:
                pending.trouble = trouble
            if all(pending.finished for pending in held.pendings):
                self._count -= len(held.pendings)
            else:
                wanted.append(held)
        return wanted
