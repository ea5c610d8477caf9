"""The causal gate: received batches are put into one order in which every effect follows its causes (promise I4).

Per origin, batches arrive in the order of their numbers. :meth:`Inbox.release` lets a batch go as soon as everything
it depends on was let go before; what it returns, call after call, is one topological order of all origins' batches.
Every own shard joins all batches in this order, each at its own pace. That suffices:

- *Within a shard* nothing becomes visible before what it depends on, because the shard joins causes first, or in the
  same transaction.
- *Across shards* a session that reads a row takes along the ``begun`` cut of the shard it read, which names every
  batch up to the one that the row came in, those without rows for this shard included. On any other shard it waits
  until these are complete (promise I9).

Entries of the own region are always satisfied: the own shards hold what they wrote. Entries of the batch's own
origin are implied by the order of its numbers. Dependencies form no circle, because they exist before the write that
has them commits (:mod:`atoll.node.barrier`), so every batch goes once its causes have arrived.

Each dependency is looked at a bounded number of times: a batch that waits does so for one missing batch, and is
looked at again when that one goes. What is held is bounded by the senders' windows.

Akkoorath et al., *Cure* (ICDCS 2016); Kahn, *Topological sorting of large networks* (CACM 5, 1962).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame
from atoll.ids import Origin, RegionName
from atoll.replication.parcel import Parcel


class Arrival(Enum):
    """What became of an offered batch."""

    HELD = auto()
    DUPLICATE = auto()
    """Held, released or applied before: acknowledge again what is applied."""


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
    needs: list[tuple[Origin, int]]
    """Dependencies without the own region and the origin itself; those found satisfied are taken away."""


class Inbox:
    """Invariants: held numbers of an origin are consecutive and begin after what was released; what was released
    covers ``applied``, and contains all that it depends on."""

    def __init__(self, region: RegionName, applied: Cut = Cut.EMPTY) -> None:
        self._region = region
        self._applied = applied
        self._released: dict[Origin, int] = dict(applied)
        self._held: dict[Origin, deque[_Held]] = {}
        self._held_bytes: dict[Origin, int] = {}
        self._stirred: set[Origin] = set()
        """Origins whose next batch is to be looked at."""
        self._waits: dict[Origin, tuple[Origin, int]] = {}
        """Of each other origin with batches, a dependency of its next batch that was not released."""
        self.checks = 0
        """Looks at a dependency, ever: a measure of the work done."""

    @property
    def applied(self) -> Cut:
        """The region's cut, as last heard."""
        return self._applied

    def released(self, origin: Origin) -> int:
        """The last batch of ``origin`` that was let go or is known to be applied."""
        return self._released.get(origin, 0)

    def arrive(self, batch: Parcel) -> Arrival:
        """Offer a batch. Raises :class:`CorruptFrame` if an earlier batch of its origin is missing."""
        origin = batch.origin
        queue = self._held.setdefault(origin, deque())
        last = queue[-1].batch.number if queue else self.released(origin)
        if batch.number <= last:
            return Arrival.DUPLICATE
        if batch.number != last + 1:
            raise CorruptFrame(f"{origin} sent batch {batch.number} where {last + 1} follows")
        needs = [(o, n) for o, n in batch.dependencies.items() if o.region != self._region and o != origin]
        queue.append(_Held(batch, needs))
        self._held_bytes[origin] = self._held_bytes.get(origin, 0) + batch.size_bytes
        if len(queue) == 1:
            self._stirred.add(origin)
        return Arrival.HELD

    def advance(self, applied: Cut) -> None:
        """The region's cut has moved, perhaps by another node; held batches that it covers are dropped."""
        self._applied = self._applied.join(applied)
        for origin, number in self._applied.items():
            if number > self.released(origin):
                self._released[origin] = number
                self._drop_released(origin)
                self._stir_those_behind(origin)

    def forget(self, region: RegionName) -> None:
        """The stream from ``region`` is gone: what it sent and was not released will be sent again."""
        for origin in [origin for origin in self._held if origin.region == region]:
            del self._held[origin]
            self._held_bytes.pop(origin, None)
            self._waits.pop(origin, None)
            self._stirred.discard(origin)

    def restart(self) -> None:
        """Begin the order anew at the region's cut: what is above it, released or not, will be sent again."""
        self._released = dict(self._applied)
        for held in (self._held, self._held_bytes, self._waits, self._stirred):
            held.clear()

    def release(self) -> Sequence[Parcel]:
        """Let go, in order, all whose causes have gone."""
        order: list[Parcel] = []
        while self._stirred:
            for origin in sorted(self._stirred):
                self._stirred.discard(origin)
                order += self._release_from(origin)
        return order

    def blocked(self) -> Sequence[Blocked]:
        """What the next batch of each origin waits for, in order of origin."""
        return [
            Blocked(origin, queue[0].batch.number, missing)
            for origin, queue in sorted(self._held.items())
            if queue and (missing := Cut((o, n) for o, n in queue[0].needs if self.released(o) < n))
        ]

    def held(self, origin: Origin) -> tuple[int, int]:
        """How many batches and bytes of ``origin`` wait here."""
        return len(self._held.get(origin, ())), self._held_bytes.get(origin, 0)

    def check_invariants(self) -> None:
        """Assert what the class promises about its state."""
        assert Cut(self._released).covers(self._applied), "what is applied was released"
        for origin, queue in self._held.items():
            first = self.released(origin) + 1
            assert [held.batch.number for held in queue] == list(range(first, first + len(queue))), "dense"
            assert self._held_bytes.get(origin, 0) == sum(held.batch.size_bytes for held in queue), "accounted"
            if queue and origin not in self._stirred:
                needed, number = self._waits[origin]
                assert self.released(needed) < number, f"{origin} waits for what has gone"

    # -- small parts ----------------------------------------------------------------------------------------------

    def _release_from(self, origin: Origin) -> list[Parcel]:
        """Let batches of one origin go until one has to wait."""
        queue, gone = self._held[origin], []
        while queue and self._is_ready(queue[0]):
            batch = self._take(origin)
            self._released[origin] = batch.number
            gone.append(batch)
        if queue:
            self._waits[origin] = queue[0].needs[-1]
        if gone:
            self._stir_those_behind(origin)
        return gone

    def _is_ready(self, held: _Held) -> bool:
        while held.needs:
            self.checks += 1
            origin, number = held.needs[-1]
            if self.released(origin) < number:
                return False
            held.needs.pop()
        return True

    def _stir_those_behind(self, origin: Origin) -> None:
        """What waited for ``origin`` to come this far is to be looked at again."""
        released = self.released(origin)
        self.checks += len(self._waits)
        for waiting in [o for o, (needed, number) in self._waits.items() if needed == origin and number <= released]:
            del self._waits[waiting]
            self._stirred.add(waiting)

    def _drop_released(self, origin: Origin) -> None:
        queue = self._held.get(origin, deque())
        while queue and queue[0].batch.number <= self.released(origin):
            self._waits.pop(origin, None)
            self._take(origin)
            self._stirred.add(origin)
        if not queue:
            self._stirred.discard(origin)

    def _take(self, origin: Origin) -> Parcel:
        batch = self._held[origin].popleft().batch
        self._held_bytes[origin] -= batch.size_bytes
        return batch
