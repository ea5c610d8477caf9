"""The causal gate: received batches wait here until what they depend on is here too (promise I4).

Per origin, batches are held in the order of their numbers. :meth:`Inbox.release` lets go what may be joined. There
are two ways:

*Alone.* The batch's dependencies are covered by the region's cut: complete on every shard of the region. Entries of
the own region are always satisfied; entries of the batch's own origin are implied by the order.

*Together.* Batches are intervals of a shard's history, and intervals of two shards can depend on each other: a
session that writes to shard 1, shard 2 and shard 1 again leaves a batch of each that depends on the other. The
greatest closed set of held batches (each member's dependencies are covered by what was released before and by the
set itself) is released as one group. Whoever applies a member records the whole group as begun in the same
transaction, so that a session that reads one of them waits on every other shard until all are complete there.

A chain of batches that depend on each other in turn would go alone, each after the flush of the one before: slower
than writers make them. So once more than ``CATCH_UP_BATCHES`` wait and nothing is under way, they go together too, at
most one transaction's worth of each origin at a time; sessions wait for that long and no longer.

Akkoorath et al., *Cure* (ICDCS 2016). What is held is bounded by the senders' windows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame
from atoll.ids import Origin, RegionName
from atoll.limits import BATCHES_PER_APPLY_MAX, CATCH_UP_BATCHES
from atoll.replication.parcel import Parcel


class Arrival(Enum):
    """What became of an offered batch."""

    HELD = auto()
    DUPLICATE = auto()
    """Held, released or applied before: acknowledge again what is applied."""


@dataclass(frozen=True, slots=True)
class Release:
    """A batch that may be joined now. ``begins`` covers it and whatever else a reader of its rows must wait for."""

    batch: Parcel
    begins: Cut


@dataclass(frozen=True, slots=True)
class Blocked:
    """The next batch of ``origin`` waits for ``missing``."""

    origin: Origin
    number: int
    missing: Cut

    def __str__(self) -> str:
        return f"batch {self.number} of {self.origin} waits for {self.missing.describe()}"


@dataclass(frozen=True, slots=True)
class _Held:
    batch: Parcel
    needs: Cut
    """Dependencies without the own region and the origin itself."""


class Inbox:
    """Invariants: held numbers of an origin are consecutive and begin after ``released``; ``released`` covers
    ``applied``; everything released depends only on what is applied or released."""

    def __init__(self, region: RegionName, applied: Cut = Cut.EMPTY) -> None:
        self._region = region
        self._applied = applied
        self._released = applied
        self._held: dict[Origin, deque[_Held]] = {}
        self._held_bytes: dict[Origin, int] = {}

    @property
    def applied(self) -> Cut:
        """The region's cut, as last heard."""
        return self._applied

    @property
    def released(self) -> Cut:
        """The last batch of each origin that was let go or is known to be applied."""
        return self._released

    def arrive(self, batch: Parcel) -> Arrival:
        """Offer a batch. Raises :class:`CorruptFrame` if an earlier batch of its origin is missing."""
        queue = self._held.setdefault(batch.origin, deque())
        last = queue[-1].batch.number if queue else self._released.at(batch.origin)
        if batch.number <= last:
            return Arrival.DUPLICATE
        if batch.number != last + 1:
            raise CorruptFrame(f"{batch.origin} sent batch {batch.number} where {last + 1} follows")
        needs = batch.dependencies.without_region(self._region).items()
        queue.append(_Held(batch, Cut((o, number) for o, number in needs if o != batch.origin)))
        self._held_bytes[batch.origin] = self._held_bytes.get(batch.origin, 0) + batch.size_bytes
        return Arrival.HELD

    def advance(self, applied: Cut) -> None:
        """The region's cut has moved; held batches that it covers are dropped."""
        self._applied = self._applied.join(applied)
        self._released = self._released.join(applied)
        for origin, queue in self._held.items():
            while queue and queue[0].batch.number <= self._released.at(origin):
                self._take(origin)

    def forget(self, region: RegionName) -> None:
        """The stream from ``region`` is gone: what it sent and was not released will be sent again."""
        for origin in [origin for origin in self._held if origin.region == region]:
            del self._held[origin]
            self._held_bytes.pop(origin, None)

    def restart(self, region: RegionName) -> None:
        """Take everything from ``region`` above the cut anew, also what was released."""
        self.forget(region)
        self._released = self._released.without_region(region).join(self._applied)

    def release(self) -> Sequence[Release]:
        """Let go all that may be joined, in an order that respects each origin's numbers."""
        return self._catch_up() or [*self._release_alone(), *self._release_together()]

    def blocked(self) -> Sequence[Blocked]:
        """What the next batch of each origin waits for, in order of origin."""
        return [
            Blocked(origin, queue[0].batch.number, missing)
            for origin, queue in sorted(self._held.items())
            if queue and (missing := self._applied.missing(queue[0].needs))
        ]

    def held(self, origin: Origin) -> tuple[int, int]:
        """How many batches and bytes of ``origin`` wait here."""
        return len(self._held.get(origin, ())), self._held_bytes.get(origin, 0)

    def check_invariants(self) -> None:
        """Assert what the class promises about its state."""
        assert self._released.covers(self._applied), "what is applied was released"
        for origin, queue in self._held.items():
            first = self._released.at(origin) + 1
            assert [held.batch.number for held in queue] == list(range(first, first + len(queue))), "dense"
            assert self._held_bytes.get(origin, 0) == sum(held.batch.size_bytes for held in queue), "accounted"

    # -- the ways out ---------------------------------------------------------------------------------------------

    def _catch_up(self) -> list[Release]:
        """When much waits and all that was released is applied: the greatest closed set within one transaction of
        each origin. Empty otherwise, and when the smallest set that is closed is larger than that."""
        if sum(map(len, self._held.values())) <= CATCH_UP_BATCHES or not self._applied.covers(self._released):
            return []
        return self._let_go_together(
            self._closed_within(
                {
                    origin: min(queue[-1].batch.number, self._released.at(origin) + BATCHES_PER_APPLY_MAX)
                    for origin, queue in self._held.items()
                    if queue
                }
            )
        )

    def _release_alone(self) -> list[Release]:
        out: list[Release] = []
        for origin, queue in sorted(self._held.items()):
            while queue and self._applied.covers(queue[0].needs):
                batch = self._let_go(origin)
                out.append(Release(batch, Cut({origin: batch.number})))
        return out

    def _release_together(self) -> list[Release]:
        """Origins whose next batch will go alone once others are complete take no part: they need no company."""
        soon = self._reachable()
        return self._let_go_together(
            self._closed_within(
                {
                    origin: queue[-1].batch.number
                    for origin, queue in self._held.items()
                    if queue and queue[0].batch.number > soon.at(origin)
                }
            )
        )

    def _let_go_together(self, tops: Cut) -> list[Release]:
        begins = self._applied.missing(self._released.join(tops))
        return [
            Release(self._let_go(origin), begins)
            for origin, top in sorted(tops.items())
            for _ in range(self._released.at(origin), top)
        ]

    def _closed_within(self, tops: Mapping[Origin, int]) -> Cut:
        """The greatest closed set below ``tops``, as the last member's number per origin; empty if there is none."""
        while True:
            assumed = self._released.join(Cut(tops))
            shrunk = {origin: self._prefix(origin, top, assumed) for origin, top in tops.items()}
            if shrunk == tops:
                return Cut((origin, top) for origin, top in tops.items() if top > self._released.at(origin))
            tops = shrunk

    def _reachable(self) -> Cut:
        """What will be applied one batch after the other, without any group: the least fixed point."""
        reach = self._released
        while True:
            before = reach
            for origin, queue in self._held.items():
                if queue:
                    reach = reach.advanced(origin, self._prefix(origin, queue[-1].batch.number, reach))
            if reach == before:
                return reach

    def _prefix(self, origin: Origin, top: int, assumed: Cut) -> int:
        """The last number up to ``top`` such that all held batches up to it depend only on ``assumed``."""
        last = self._released.at(origin)
        for held in self._held[origin]:
            if held.batch.number > top or not assumed.covers(held.needs):
                break
            last = held.batch.number
        return last

    # -- small parts ----------------------------------------------------------------------------------------------

    def _let_go(self, origin: Origin) -> Parcel:
        batch = self._take(origin)
        self._released = self._released.advanced(origin, batch.number)
        return batch

    def _take(self, origin: Origin) -> Parcel:
        batch = self._held[origin].popleft().batch
        self._held_bytes[origin] -= batch.size_bytes
        return batch
