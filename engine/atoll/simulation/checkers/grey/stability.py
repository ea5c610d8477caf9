"""I11: a batch and its log go only when every other region has completed it, on all of its shards."""

from __future__ import annotations

from atoll.ids import Origin
from atoll.simulation.checkers.grey.checker import Check
from atoll.simulation.checkers.grey.ledger import Ledger
from atoll.simulation.observations import Applied, Collected


class Stability(Check):
    """What was deleted against what the others had made durable by then."""

    name = "stability"
    promise = "I11 stability: nothing is collected before every other region has it"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._most: dict[tuple[Origin, Origin], int] = {}
        """Per shard and origin the last batch it ever completed: what a failover takes back was durable then."""

    def applied(self, seen: Applied) -> None:
        for origin, number in seen.after.items():
            key = (seen.shard, origin)
            self._most[key] = max(number, self._most.get(key, 0))

    def collected(self, seen: Collected) -> None:
        for region in self.ledger.topology.peers(seen.shard.region):
            for shard in self.ledger.shards_of(region):
                self.checks += 1
                completed = self._most.get((shard, seen.shard), 0)
                if completed < seen.number:
                    self.find(
                        "collected too early",
                        f"{seen.shard} deleted its batches up to {seen.number} at {self.ledger.now:.3f} s, while "
                        f"{shard} had completed {completed}.",
                        places=[str(seen.shard), str(shard)],
                    )
