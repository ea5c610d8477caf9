"""The causal gate: received batches wait here until what they depend on is here too (promise I4).

Per origin, batches are held in the order of their numbers. :meth:`Inbox.release` lets go what may be applied. There
are two ways:

*Plain.* The batch's dependencies are covered by the region's cut: applied and complete on every shard of the region.
Entries of the own region are always satisfied; entries of the batch's own origin are implied by the order.

*Together.* Batches are intervals of a shard's history, and intervals of two shards can depend on each other: a
session that writes to shard 1, shard 2 and shard 1 again leaves a batch of each that depends on the other. The greatest
closed set of held batches (each member's dependencies are covered by what was released before and the set itself) is
released as one group, with a *barrier*: rows may be joined at once, but no member counts as complete on any shard
before everything that the barrier covers is on all shards. A session that saw one member therefore waits for the
others, exactly as it does within one batch.

*Patience.* A dependency may name a batch of a sibling (another shard of the origin's region) that does not exist yet,
since the number of an uncaptured write is only bounded from above (:meth:`~atoll.ports.Progress.seen`). While writers
cross shards without a pause, every batch names a later one of its sibling, and no closed set ever exists. So after
``SIBLING_PATIENCE_SECONDS`` a sibling's entry counts only as far as the sibling's announced captures. Entries of
other regions are never relaxed. Relaxed releases are marked, and counted by the shell.

Akkoorath et al., *Cure* (ICDCS 2016) for the gate. Everything is bounded by the senders' windows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame
from atoll.ids import Origin, RegionName
from atoll.limits import SIBLING_PATIENCE_SECONDS
from atoll.replication.parcel import Parcel


class Arrival(Enum):
    """What became of an offered batch."""

    HELD = auto()
    DUPLICATE = auto()
    """Held, released or applied before: acknowledge again what is applied."""


@dataclass(frozen=True, slots=True)
class Release:
    """A batch that may be joined now. It is complete once everything in ``barrier`` is joined on all shards."""

    batch: Parcel
    barrier: Cut = Cut.EMPTY
    relaxed: bool = False
    """Whether patience ran out on a sibling's batch that did not exist yet."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The next batch of ``origin`` waits for ``missing``."""

    origin: Origin
    number: int
    missing: Cut

    def __str__(self) -> str:
        return f"batch {self.number} of {self.origin} waits for {self.missing.describe()}"


@dataclass(slots=True)
class _Held:
    batch: Parcel
    needs: Cut
    """Dependencies without the own region and the origin itself."""
    since: float


class Inbox:
    """Invariants: held numbers of an origin are consecutive and begin after ``released``; ``released`` covers
    ``applied``; everything released is closed under (possibly relaxed) dependencies."""

    def __init__(self, region: RegionName, applied: Cut) -> None:
        self._region = region
        self._applied = applied
        self._released = applied
        self._announced = applied
        self._held: dict[Origin, deque[_Held]] = {}
        self._held_bytes: dict[Origin, int] = {}

    @property
    def released(self) -> Cut:
        """The last batch of each origin that was let go or is known to be applied."""
        return self._released

    def arrive(self, batch: Parcel, now: float) -> Arrival:
        """Offer a batch. Raises :class:`CorruptFrame` if an earlier batch of its origin is missing."""
        queue = self._held.setdefault(batch.origin, deque())
        last = queue[-1].batch.number if queue else self._released.at(batch.origin)
        self._announced = self._announced.advanced(batch.origin, batch.number)
        if batch.number <= last:
            return Arrival.DUPLICATE
        if batch.number != last + 1:
            raise CorruptFrame(f"{batch.origin} sent batch {batch.number} where {last + 1} follows")
        needs = Cut(
            (origin, number)
            for origin, number in batch.dependencies.items()
            if origin.region != self._region and origin != batch.origin
        )
        queue.append(_Held(batch, needs, now))
        self._held_bytes[batch.origin] = self._held_bytes.get(batch.origin, 0) + batch.size_bytes
        return Arrival.HELD

    def announce(self, captured: Cut) -> None:
        """Note which batches exist at their origins."""
        self._announced = self._announced.join(captured)

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

    def release(self, now: float) -> Sequence[Release]:
        """Let go all that may be joined, in an order that respects each origin's numbers."""
        released = self._release_plain(now)
        released += self._release_together(now)
        return released

    def patience_ends(self, now: float) -> float | None:
        """When :meth:`release` should be asked again if nothing else happens; ``None`` if time changes nothing."""
        ends = [queue[0].since + SIBLING_PATIENCE_SECONDS for queue in self._held.values() if queue]
        return min((end for end in ends if end > now), default=None)

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
            assert self._held_bytes.get(origin, 0) == sum(held.batch.size_bytes for held in queue)

    # -- the two ways out -----------------------------------------------------------------------------------------

    def _release_plain(self, now: float) -> list[Release]:
        out: list[Release] = []
        for origin, queue in sorted(self._held.items()):
            while queue and self._applied.covers(needs := self._needs(queue[0], now)):
                relaxed = needs is not queue[0].needs
                out.append(Release(self._let_go(origin), relaxed=relaxed))
        return out

    def _release_together(self, now: float) -> list[Release]:
        tops = self._closed_tops(now)
        barrier = self._released.join(tops)
        out: list[Release] = []
        for origin, top in sorted(tops.items()):
            queue = self._held[origin]
            while queue and queue[0].batch.number <= top:
                relaxed = self._needs(queue[0], now) is not queue[0].needs
                out.append(Release(self._let_go(origin), barrier, relaxed))
        return out

    def _closed_tops(self, now: float) -> Cut:
        """The greatest closed set, as the last member's number per origin; empty if there is none.

        Origins whose next batch will be plain once others are durable take no part: a group costs a second step.
        """
        soon = self._reachable(now)
        tops = {
            origin: queue[-1].batch.number
            for origin, queue in self._held.items()
            if queue and queue[0].batch.number > soon.at(origin)
        }
        while True:
            assumed = self._released.join(Cut(tops))
            shrunk = {origin: self._prefix(origin, top, assumed, now) for origin, top in tops.items()}
            if shrunk == tops:
                break
            tops = shrunk
        return Cut((origin, top) for origin, top in tops.items() if top > self._released.at(origin))

    def _prefix(self, origin: Origin, top: int, assumed: Cut, now: float) -> int:
        """The last number up to ``top`` such that all batches up to it depend only on ``assumed``."""
        last = self._released.at(origin)
        for held in self._held[origin]:
            if held.batch.number > top or not assumed.covers(self._needs(held, now)):
                break
            last = held.batch.number
        return last

    def _reachable(self, now: float) -> Cut:
        """What will be applied one batch after the other, without any group: the least fixed point."""
        reach = self._released
        while True:
            before = reach
            for origin, queue in self._held.items():
                if queue:
                    reach = reach.advanced(origin, self._prefix(origin, queue[-1].batch.number, reach, now))
            if reach == before:
                return reach

    # -- small parts ----------------------------------------------------------------------------------------------

    def _needs(self, held: _Held, now: float) -> Cut:
        """What a batch must wait for; the very same object as ``held.needs`` unless relaxed."""
        if now - held.since < SIBLING_PATIENCE_SECONDS:
            return held.needs
        region = held.batch.origin.region
        beyond = [o for o, n in held.needs.items() if o.region == region and n > self._announced.at(o)]
        if not beyond:
            return held.needs
        return Cut((o, min(n, self._announced.at(o)) if o in beyond else n) for o, n in held.needs.items())

    def _let_go(self, origin: Origin) -> Parcel:
        batch = self._take(origin)
        self._released = self._released.advanced(origin, batch.number)
        return batch

    def _take(self, origin: Origin) -> Parcel:
        batch = self._held[origin].popleft().batch
        self._held_bytes[origin] -= batch.size_bytes
        return batch
