"""I1: what a client was told is written is in a committed transaction, in the log, and stays.

Every acknowledged write has a transaction between its call and its answer that shows its value. Every committed row,
acknowledged or not, has its row in the change log until its batch is collected, and the record where it was written
reflects it ever after. A server that lacks transactions is never used.
"""

from __future__ import annotations

from collections.abc import Sequence

from atoll.ids import Origin
from atoll.simulation.checkers.grey.checker import Check, Commit, End, Look, Shards
from atoll.simulation.checkers.grey.ledger import Ledger
from atoll.simulation.checkers.grey.matching import Matches, needs_trace
from atoll.simulation.checkers.grey.writes import RecordedWrite
from atoll.simulation.history import Entry, Status
from atoll.simulation.observations import Collected, Rewound
from atoll.simulation.plan import Action
from atoll.simulation.storage.memory_shard import MemoryShard


class Durability(Check):
    """Acknowledged operations against transactions, and transactions against what the shards hold."""

    name = "durability"
    promise = "I1 durable: an acknowledged write is in its shard with its change-log row, and stays"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._fresh: dict[Origin, list[RecordedWrite]] = {}
        self._collected: dict[Origin, int] = {}

    def committed(self, commit: Commit) -> None:
        self._fresh.setdefault(commit.seen.shard, []).extend(commit.writes)

    def collected(self, seen: Collected) -> None:
        self._collected[seen.shard] = max(seen.number, self._collected.get(seen.shard, 0))

    def rewound(self, seen: Rewound) -> None:
        self.checks += 1
        if seen.transactions:
            self.find(
                "history accepted that lacks transactions",
                f"{seen.shard} was used at {self.ledger.now:.3f} s although {len(seen.transactions)} transactions "
                "that had been visible were gone.",
                places=[str(seen.shard)],
            )

    def sampled(self, look: Look) -> None:
        for origin, shard in look.shards.items():
            fresh = self._fresh.pop(origin, [])
            self._check_log(origin, shard, fresh, len(fresh))
        for sighting in look.changed:
            story = self.ledger.story(sighting.id)
            own = [write for write in story.writes[-4:] if write.shard == sighting.shard]
            if own:
                self._check_stays(look.shards, own[-1])

    def finished(self, end: End) -> None:
        matches = Matches(self.ledger)
        told: dict[RecordedWrite, Entry] = {}
        for entry in end.history:
            if entry.status is Status.OK and entry.planned.action is not Action.READ:
                self.checks += 1
                for write in self._transactions_of(matches, entry):
                    told.setdefault(write, entry)
        for id in sorted(self.ledger.stories):
            for write in self.ledger.stories[id].writes:
                self._check_stays(end.shards, write, told.get(write))
        for origin, shard in end.shards.items():
            writes = [write for id in sorted(self.ledger.stories) for write in self.ledger.stories[id].writes]
            self._check_log(origin, shard, [write for write in writes if write.shard == origin], len(shard.log))

    def _transactions_of(self, matches: Matches, entry: Entry) -> Sequence[RecordedWrite]:
        """Where an acknowledged operation is; a finding if it is nowhere."""
        during = matches.during(entry)
        showing = matches.showing(entry, during)
        if showing or any(not write.is_known for write in during):
            return showing
        if during and needs_trace(entry) and any(write.counter > write.previous + 1 for write in during):
            return ()  # another operation of the same transaction may have replaced it unseen
        planned = entry.planned
        what = f"{planned.action} of {planned.argument!r} in {planned.collection}/{planned.key}.{planned.field}"
        self.find(
            "acknowledged write without a transaction",
            f"The {what} by {entry.session} in {planned.region} was acknowledged between {entry.began:.3f} s and "
            f"{entry.ended:.3f} s, and no transaction of that time holds it.",
            entries=[entry.index],
            places=[planned.region],
        )
        return ()

    def _check_stays(self, shards: Shards, write: RecordedWrite, entry: Entry | None = None) -> None:
        self.checks += 1
        shard = shards.get(write.shard)
        if shard is None:
            return
        held = shard.records.get(write.id)
        version = self.ledger.stories[write.id].versions.get(held.context) if held else None
        if version is not None and version.context.has(write.actor, write.counter):
            return
        is_rewound = write.transaction in self.ledger.rewound.get(write.shard, ())
        what = f"{str(write).capitalize()}{', which was acknowledged,' if entry else ''} is"
        how = "taken back by a failover" if is_rewound else "no longer reflected by the record there"
        self.find(
            "write lost in a failover" if is_rewound else "write lost",
            f"{what} {how} at {self.ledger.now:.3f} s.",
            entries=[entry.index] if entry else [],
            places=[str(write.shard)],
        )

    def _check_log(self, origin: Origin, shard: MemoryShard, writes: Sequence[RecordedWrite], depth: int) -> None:
        """Whether the last ``depth`` rows of the log hold the writes; they are in the order of the commits."""
        if not writes:
            return
        rows = {(change.transaction, change.row.id) for change in shard.log[-depth:]} if depth else set()
        gone = self.ledger.rewound.get(origin, ())
        for write in writes:
            self.checks += 1
            if 0 < write.batch <= self._collected.get(origin, 0) or write.transaction in gone:
                continue
            if (write.transaction, write.id) not in rows:
                self.find(
                    "write without its change-log row",
                    f"{str(write).capitalize()} has no row in the log of {origin} at {self.ledger.now:.3f} s.",
                    places=[str(origin)],
                )
