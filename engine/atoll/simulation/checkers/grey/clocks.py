"""I14: timestamps follow causality, whatever the clocks of the nodes do.

A write's timestamp is above every timestamp in the state it was made on, above all that its region had written when
the process that wrote it began, and above those that its own session got before, across regions. The last is not
promised to a session whose timestamp was far ahead of true time: nodes whose clocks are right refuse to follow it.
How far clocks may be ahead is not judged, only told.
"""

from __future__ import annotations

from atoll import limits
from atoll.crdt.record import Record
from atoll.crdt.registry import LWW
from atoll.ids import RegionName
from atoll.instant import ZERO, Timestamp, wall_ms
from atoll.simulation.checkers.grey.checker import Check, Commit, End
from atoll.simulation.checkers.grey.ledger import Ledger
from atoll.simulation.checkers.grey.matching import Matches
from atoll.simulation.checkers.grey.writes import Assignment, RecordedWrite
from atoll.simulation.history import Status
from atoll.simulation.loop.clocks import EPOCH_MS
from atoll.simulation.observations import Connected

_FAR_AHEAD_MS = limits.CLOCK_AHEAD_MAX_MS // 2
"""Beyond this a node may refuse to follow a timestamp: its own clock may be that much behind true time."""


class Clocks(Check):
    """Timestamps of registers, along records and along sessions."""

    name = "clocks"
    promise = "I14 clocks: a timestamp is greater than all it follows"

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._far: set[Timestamp] = set()
        """Timestamps that were far ahead of true time when they were given."""

        self._greatest: dict[RegionName, Timestamp] = {}
        """What each region has written so far."""
        self._floors: dict[str, Timestamp] = {}
        """The same as each process found it, before it could ask for anything."""

    def connected(self, seen: Connected) -> None:
        self._floors.setdefault(seen.process, self._greatest.get(seen.server.region, ZERO))

    def committed(self, commit: Commit) -> None:
        self._check_since_start(commit)
        for write in commit.writes:
            self._note_ahead(write, commit.seen.at)
            before = self.ledger.stories[write.id].versions.get(write.row.previous_context)
            if before is not None and write.is_known:
                self._check_along_record(write, self.ledger.record(before))

    def _check_since_start(self, commit: Commit) -> None:
        region, process = commit.seen.shard.region, commit.seen.process
        for write in commit.writes:
            stamps = _stamps(write)
            self._greatest[region] = max(self._greatest.get(region, ZERO), *stamps)
            floor = self._floors.get(process)
            if floor is None:
                continue
            self.checks += 1
            if min(stamps) <= floor:
                self.find(
                    "timestamp goes back over a restart",
                    f"{str(write).capitalize()} has the timestamp {min(stamps)}; when {process} began, {region} had "
                    f"written {floor} already.",
                    places=[process],
                )

    def _note_ahead(self, write: RecordedWrite, true_seconds: float) -> None:
        peak = "peak of milliseconds ahead of true time"
        for stamp in _stamps(write):
            ahead_ms = wall_ms(stamp) - EPOCH_MS - int(true_seconds * 1000)
            self.legal[peak] = max(ahead_ms, self.legal[peak])
            if ahead_ms > _FAR_AHEAD_MS:
                self._far.add(stamp)

    def _check_along_record(self, write: RecordedWrite, before: Record) -> None:
        self.checks += 1
        latest = _latest(before)
        stamps = _stamps(write)
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
            if stamp <= before and before in self._far:
                self.legal["sessions whose timestamp nobody follows"] += 1
            elif stamp <= before:
                self.find(
                    "timestamp goes back in a session",
                    f"The session {entry.session} assigned with timestamp {before} and then, after it was "
                    f"acknowledged, with {stamp}.",
                    entries=[index, entry.index],
                )
            last[entry.session] = (stamp, entry.index)


def _stamps(write: RecordedWrite) -> list[Timestamp]:
    """The row's timestamp and those of the assignments in it."""
    assignments = [effect for effect in write.effects.values() if isinstance(effect, Assignment)]
    return [write.row.timestamp, *(effect.entry[2] for effect in assignments if effect.entry is not None)]


def _latest(record: Record) -> Timestamp:
    stamps = [entry[2] for code, payload in record.fields.values() if code == LWW.code for entry in payload]
    return max(stamps, default=ZERO)
