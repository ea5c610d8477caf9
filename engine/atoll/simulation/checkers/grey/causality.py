"""I4: nothing becomes visible before what it depends on, and dependencies point backwards in time.

For one shard the rule of decision 0016 is exact: when it has begun a batch, everything that the batch depends on is
complete on this very shard, but for entries of the batch's own origin, implied by dense numbers, and of the own
region, whose shards hold what they wrote. By decision 0013 a dependency exists as a batch before the write that has
it commits, so no circle can be; at the end all batches are put into an order once more to see that each could go.

On records: a dot of another region is visible only if its batch has begun on that shard, since this is what a session
that reads it takes along; contexts end at writes that were made and have no holes.

Not checked here: that a read which a session made is among the dependencies of its next write (a client's view, which
the black box judges by values), and the order of two shards of one region, which is promised to sessions only: see
:mod:`atoll.simulation.checkers.grey.session_order`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from atoll.ids import Actor, Origin, origin_of
from atoll.simulation.checkers.grey.checker import Check, Commit, End, Look, told
from atoll.simulation.checkers.grey.ledger import Ledger, Sighting, Version
from atoll.simulation.observations import Applied, Captured


class Causality(Check):
    """Dependencies of writes, of batches, and of what is visible."""

    name = "causality"
    promise = "I4 causality: nothing becomes visible before what it depends on"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._needed: dict[tuple[Origin, int], Mapping[Origin, int]] = {}
        """Per transaction, what the batch that carries it has to depend on."""

    # -- at the origin --------------------------------------------------------------------------------------------

    def committed(self, commit: Commit) -> None:
        seen = commit.seen
        for origin, number in seen.dependencies.items():
            if origin != seen.shard:
                self._check_exists(origin, number, f"Transaction {seen.transaction} of {seen.shard}", seen.shard)
        if not commit.writes:
            return
        begun = self.ledger.begun.get(seen.shard, {})
        self._needed[seen.shard, seen.transaction] = {
            **begun,
            **{origin: max(number, begun.get(origin, 0)) for origin, number in seen.dependencies.items()},
        }

    def captured(self, seen: Captured) -> None:
        batch, origin = seen.batch, seen.batch.origin
        name = f"Batch {batch.number} of {origin}"
        for other, number in batch.dependencies.items():
            self._check_exists(other, number, name, origin)
        for transaction in seen.transactions:
            needed = self._needed.pop((origin, transaction), {})
            self.checks += 1
            for other, number in needed.items():
                if other != origin and batch.dependencies.at(other) < number:
                    self.find(
                        "batch hides a dependency",
                        f"{name} depends on batch {batch.dependencies.at(other)} of {other}, but transaction "
                        f"{transaction} in it was made after {origin} had begun batch {number}.",
                        places=[str(origin)],
                    )

    def _check_exists(self, origin: Origin, number: int, name: str, place: Origin) -> None:
        self.checks += 1
        if self.ledger.last_batch(origin) < number:
            self.find(
                "dependency that does not exist yet",
                f"{name} depends on batch {number} of {origin} at {self.ledger.now:.3f} s, which is captured no "
                f"further than {self.ledger.last_batch(origin)}.",
                places=[str(place), str(origin)],
            )

    # -- at the receiver ------------------------------------------------------------------------------------------

    def applied(self, seen: Applied) -> None:
        if not seen.after.covers(seen.before):
            self.find(
                "cut goes back",
                f"{seen.shard} had completed {seen.before.describe()} and then {seen.after.describe()}.",
                places=[str(seen.shard)],
            )
        for origin, number in seen.begins.items():
            last = max(number, seen.after.at(origin))
            for each in range(seen.before.at(origin) + 1, last + 1):
                self._check_batch(seen, origin, each)

    def _check_batch(self, seen: Applied, origin: Origin, number: int) -> None:
        carrier = self.ledger.batches.get(origin, {}).get(number)
        if carrier is None:
            return  # the capture checker tells
        self.checks += 1
        for other, needed in carrier.batch.dependencies.items():
            if other.region != seen.shard.region and other != origin and seen.after.at(other) < needed:
                self.find(
                    "effect before its cause",
                    f"{seen.shard} began batch {number} of {origin} at {self.ledger.now:.3f} s, which depends on "
                    f"batch {needed} of {other}, while it had completed {seen.after.at(other)} of that.",
                    places=[str(seen.shard), str(origin), str(other)],
                )

    # -- on records -----------------------------------------------------------------------------------------------

    def sampled(self, look: Look) -> None:
        for sighting in look.changed:
            if sighting.version is not None:
                self._check_visible(sighting, sighting.version)

    def _check_visible(self, sighting: Sighting, version: Version) -> None:
        self.checks += 1
        if not version.context.is_contiguous:
            self.find(
                "hole in a context",
                f"{sighting.shard} holds {told(sighting.id)} with {version.context!r}: later writes of a shard "
                "without earlier ones of it.",
                places=[str(sighting.shard)],
            )
        begun = self.ledger.begun.get(sighting.shard, {})
        for actor in version.context.actors():
            self._check_actor(sighting, actor, version.context.highest(actor), begun)

    def _check_actor(self, sighting: Sighting, actor: Actor, highest: int, begun: Mapping[Origin, int]) -> None:
        writes = self.ledger.story(sighting.id).by_actor.get(actor, [])
        found = bisect_right(writes, highest, key=lambda write: write.counter)
        write = writes[found - 1] if found else None
        if write is None or write.counter != highest:
            self.find(
                "context covers what nobody wrote",
                f"{sighting.shard} holds {told(sighting.id)} with a context up to {actor}:{highest}, a dot of which "
                "no write was seen.",
                places=[str(sighting.shard)],
            )
            return
        origin = origin_of(actor)
        if origin.region != sighting.shard.region and not 0 < write.batch <= begun.get(origin, 0):
            batch = f"batch {write.batch}" if write.batch else "no batch yet"
            self.find(
                "visible before its batch has begun",
                f"{sighting.shard} shows {write}, which is in {batch} of {origin}, while it has begun "
                f"{begun.get(origin, 0)}: a session that reads it would not know.",
                places=[str(sighting.shard), str(origin)],
            )

    # -- at the end -----------------------------------------------------------------------------------------------

    def finished(self, end: End) -> None:
        """Put all batches into an order, as a receiver of all regions would have to."""
        if not end.converged or self.ledger.rewound:
            return
        batches = self.ledger.batches
        gone = dict.fromkeys(batches, 0)
        is_moving = True
        while is_moving:
            is_moving = False
            for origin in sorted(batches):
                while self._may_go(origin, gone):
                    gone[origin] += 1
                    is_moving = True
        for origin in sorted(batches):
            self.checks += 1
            if gone[origin] < self.ledger.last_batch(origin):
                stuck = batches[origin].get(gone[origin] + 1)
                needs = stuck.batch.dependencies.describe() if stuck else "a batch with that number"
                self.find(
                    "dependencies in a circle",
                    f"Batch {gone[origin] + 1} of {origin} can never go: it needs {needs}, of which no order exists.",
                    places=[str(origin)],
                )

    def _may_go(self, origin: Origin, gone: Mapping[Origin, int]) -> bool:
        carrier = self.ledger.batches[origin].get(gone[origin] + 1)
        return carrier is not None and all(
            gone.get(other, 0) >= number for other, number in carrier.batch.dependencies.items() if other != origin
        )
