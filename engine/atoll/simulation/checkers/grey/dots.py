"""I2: a dot is minted once, from a block that its shard had leased, and a write covers nothing but itself.

What is not checked: dots that no state ever shows, because a later operation of the same row took their effects back.
"""

from __future__ import annotations

from bisect import bisect_right

from atoll.ids import Actor, actor_of
from atoll.simulation.checkers.grey.checker import Check, Commit
from atoll.simulation.checkers.grey.ledger import Ledger
from atoll.simulation.checkers.grey.writes import RecordedWrite
from atoll.simulation.observations import Minted


class Dots(Check):
    """Every fresh dot against all that were minted and leased before."""

    name = "dots"
    promise = "I2 dots: minted once, from a leased block, by the shard's own actor"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._minted: dict[Actor, dict[int, RecordedWrite]] = {}
        self._blocks: dict[Actor, list[tuple[int, int]]] = {}

    def minted(self, seen: Minted) -> None:
        self.checks += 1
        actor = actor_of(seen.shard, seen.incarnation)
        blocks = self._blocks.setdefault(actor, [])
        if not 0 < seen.first <= seen.last:
            self.find(
                "malformed lease", f"{actor} leased the counters {seen.first} to {seen.last}, which is no block."
            )
            return
        for first, last in blocks:
            if first <= seen.last and seen.first <= last:
                self.find(
                    "counters leased twice",
                    f"{actor} leased {seen.first} to {seen.last} at {self.ledger.now:.3f} s, although "
                    f"{first} to {last} had been leased before.",
                    places=[str(seen.shard)],
                )
        blocks.append((seen.first, seen.last))
        blocks.sort()

    def committed(self, commit: Commit) -> None:
        for write in commit.writes:
            self.checks += 1
            self._check_grown(write)
            for actor, counter in sorted(write.dots or {(write.actor, write.counter)}):
                self._check_dot(write, actor, counter)

    def _check_grown(self, write: RecordedWrite) -> None:
        if write.strangers:
            others = ", ".join(write.strangers)
            self.find(
                "write covers foreign dots",
                f"{str(write).capitalize()} also covers dots of {others}, which it had not seen.",
                places=[str(write.shard)],
            )
        elif not (write.previous < write.counter == write.row.counter):
            self.find(
                "write covers other dots than its own",
                f"{str(write).capitalize()} was announced with counter {write.row.counter}, but its context ends at "
                f"{write.counter} of {write.actor} after {write.previous} before.",
                places=[str(write.shard)],
            )

    def _check_dot(self, write: RecordedWrite, actor: Actor, counter: int) -> None:
        minted = self._minted.setdefault(actor, {})
        earlier = minted.setdefault(counter, write)
        if earlier is not write:
            self.find(
                "dot minted twice",
                f"The dot {actor}:{counter} is in {earlier} and in {write}.",
                places=[str(earlier.shard), str(write.shard)],
            )
        if not self._is_leased(actor, counter):
            self.find(
                "dot without a lease",
                f"The dot {actor}:{counter} of {write} lies in no block that its shard had leased.",
                places=[str(write.shard)],
            )

    def _is_leased(self, actor: Actor, counter: int) -> bool:
        blocks = self._blocks.get(actor, [])
        found = bisect_right(blocks, counter, key=lambda block: block[0])
        return bool(found) and counter <= blocks[found - 1][1]
