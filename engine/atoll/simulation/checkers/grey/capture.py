"""I5: every committed transaction is in exactly one batch, and a batch reaches a shard whole.

Numbers are dense per origin; a transaction is in the batch after next at the latest (what a session token counts on,
decision 0004); a batch's header says what is in it. Once a shard has completed a batch, its records cover every write
of the batch that it has to hold. That the bytes on the way are those captured is :mod:`.shipping`'s business.
"""

from __future__ import annotations

from atoll.ids import Origin
from atoll.instant import ZERO
from atoll.ports import Batch
from atoll.simulation.checkers.grey.checker import Check, Commit, End, Look, Shards, told
from atoll.simulation.checkers.grey.ledger import Carrier, Ledger
from atoll.simulation.checkers.grey.writes import RecordedWrite
from atoll.simulation.observations import Applied, Captured


class Capture(Check):
    """Nothing skipped, nothing twice, nothing missing at the receiver."""

    name = "capture"
    promise = "I5 capture: every committed change is in exactly one batch, and arrives whole"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._latest: dict[tuple[Origin, int], int] = {}
        """Of each transaction, the last batch that may carry it."""
        self._number: dict[tuple[Origin, int], int] = {}
        self._arrived: list[tuple[Origin, Origin, int]] = []
        """Shard, origin and number of batches completed since the last sample."""

    def committed(self, commit: Commit) -> None:
        seen = commit.seen
        if commit.writes:
            self._latest[seen.shard, seen.transaction] = self.ledger.last_batch(seen.shard) + 2

    def captured(self, seen: Captured) -> None:
        batch, origin = seen.batch, seen.batch.origin
        self.checks += 1
        if batch.number != (expected := self._expected(batch)) and origin not in self.ledger.rewound:
            self.find(
                "batch numbers are not dense",
                f"{origin} captured batch {batch.number} at {self.ledger.now:.3f} s where {expected} follows.",
                places=[str(origin)],
            )
        for transaction in seen.transactions:
            self._check_transaction(origin, transaction, batch.number)
        self._check_header(seen, self.ledger.batches[origin][batch.number])

    def _expected(self, batch: Batch) -> int:
        """The number after all others; as a rule a look at the one before is enough."""
        known = self.ledger.batches[batch.origin]
        if batch.number - 1 in known and self.ledger.last_batch(batch.origin) == batch.number:
            return batch.number
        return max((number for number in known if number != batch.number), default=0) + 1

    def applied(self, seen: Applied) -> None:
        for origin, number in seen.after.items():
            self._arrived += [(seen.shard, origin, each) for each in range(seen.before.at(origin) + 1, number + 1)]

    def sampled(self, look: Look) -> None:
        arrived, self._arrived = self._arrived, []
        for shard, origin, number in arrived:
            if shard in look.shards:
                self._check_arrived(look.shards, shard, origin, number)
            else:
                self._arrived.append((shard, origin, number))

    def finished(self, end: End) -> None:
        if not end.converged:
            return
        for (origin, transaction), writes in self.ledger.transactions.items():
            self.checks += 1
            is_gone = transaction in self.ledger.rewound.get(origin, ())
            if writes and not is_gone and (origin, transaction) not in self._number:
                self.find(
                    "change never captured",
                    f"{str(writes[0]).capitalize()} is in no batch of {origin} at the end.",
                    places=[str(origin)],
                )

    def _check_transaction(self, origin: Origin, transaction: int, number: int) -> None:
        key = (origin, transaction)
        earlier = self._number.setdefault(key, number)
        if earlier != number:
            self.find(
                "change captured twice",
                f"Transaction {transaction} of {origin} is in batch {earlier} and in batch {number}.",
                places=[str(origin)],
            )
        latest = self._latest.get(key)
        if latest is None:
            self.find(
                "batch holds what nobody committed",
                f"Batch {number} of {origin} holds transaction {transaction}, of which no commit was seen.",
                places=[str(origin)],
            )
        elif number > latest:
            self.find(
                "change captured too late",
                f"Transaction {transaction} of {origin} is in batch {number}; sessions count on batch {latest} at "
                "the latest.",
                places=[str(origin)],
            )

    def _check_header(self, seen: Captured, carrier: Carrier) -> None:
        batch, writes = seen.batch, carrier.writes
        name = f"Batch {batch.number} of {batch.origin}"
        records = sorted({write.id for write in writes})
        if sorted(set(seen.records)) != records or batch.records != len(records):
            self.find(
                "batch skips a change",
                f"{name} lists {batch.records} records ({len(set(seen.records))} by name); its transactions changed "
                f"{len(records)}.",
                places=[str(batch.origin)],
            )
        latest = max((write.row.timestamp for write in writes), default=ZERO)
        if batch.timestamp != latest:
            self.find(
                "batch has another timestamp than its changes",
                f"{name} says {batch.timestamp}, and the greatest of its changes is {latest}.",
                places=[str(batch.origin)],
            )

    def _check_arrived(self, shards: Shards, shard: Origin, origin: Origin, number: int) -> None:
        carrier = self.ledger.batches.get(origin, {}).get(number)
        if carrier is None:
            self.find(
                "batch from nowhere",
                f"{shard} completed batch {number} of {origin}, which was never captured.",
                places=[str(shard), str(origin)],
            )
            return
        for write in carrier.writes:
            if self.ledger.hosts(shard.region, write.id) and shards[shard].owns(write.id.position):
                self.checks += 1
                self._check_covered(shards, shard, number, write)

    def _check_covered(self, shards: Shards, shard: Origin, number: int, write: RecordedWrite) -> None:
        held = shards[shard].records.get(write.id)
        version = self.ledger.stories[write.id].versions.get(held.context) if held else None
        if version is None or not version.context.has(write.actor, write.counter):
            self.find(
                "completed batch lacks a row",
                f"{shard} completed batch {number} of {write.shard}, but its {told(write.id)} does not reflect "
                f"{write}.",
                places=[str(shard), str(write.shard)],
            )
