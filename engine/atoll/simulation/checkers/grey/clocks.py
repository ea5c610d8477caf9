"""I14: timestamps follow causality, whatever the clocks of the nodes do.

A write's timestamp is above every timestamp in the state it was made on, and above those that its own session got
before, across regions. How far a clock may be ahead is not judged here: true time is not what nodes are held against.
"""

from __future__ import annotations

from atoll.crdt.record import Record
from atoll.crdt.registry import LWW
from atoll.instant import ZERO, Timestamp
from atoll.simulation.checkers.grey.checker import Check, Commit, End
from atoll.simulation.checkers.grey.matching import Matches
from atoll.simulation.checkers.grey.writes import Assignment, RecordedWrite
from atoll.simulation.history import Status


class Clocks(Check):
    """Timestamps of registers, along records and along sessions."""

    name = "clocks"
    promise = "I14 clocks: a timestamp is greater than all it follows"

    def committed(self, commit: Commit) -> None:
        for write in commit.writes:
            before = self.ledger.stories[write.id].versions.get(write.row.previous_context)
            if before is not None and write.is_known:
                self._check_along_record(write, self.ledger.record(before))

    def _check_along_record(self, write: RecordedWrite, before: Record) -> None:
        self.checks += 1
        latest = _latest(before)
        stamps = [write.row.timestamp]
        stamps += [
            effect.entry[2] for effect in write.effects.values() if isinstance(effect, Assignment) and effect.entry
        ]
        if min(stamps) <= latest:
            self.find(
                "timestamp goes back on a record",
                f"{str(write).capitalize()} has the timestamp {min(stamps)}, not above {latest} in the state it was "
                "made on.",
                places=[str(write.shard)],
            )

    def finished(self, end: End) -> None:
        """Along sessions: of two acknowledged assignments, one after the other, the second has the greater stamp."""
        matches = Matches(self.ledger)
        last: dict[str, tuple[Timestamp, int]] = {}
        for entry in end.history:
            if entry.status is not Status.OK:
                continue
            stamp = matches.timestamp(entry)
            if stamp is None:
                continue
            self.checks += 1
            before, index = last.get(entry.session, (ZERO, 0))
            if stamp <= before:
                self.find(
                    "timestamp goes back in a session",
                    f"The session {entry.session} assigned with timestamp {before} and then, after it was "
                    f"acknowledged, with {stamp}.",
                    entries=[index, entry.index],
                )
            last[entry.session] = (stamp, entry.index)


def _latest(record: Record) -> Timestamp:
    stamps = [entry[2] for code, payload in record.fields.values() if code == LWW.code for entry in payload]
    return max(stamps, default=ZERO)
