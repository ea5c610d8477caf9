"""What a shard in memory keeps, and the rules by which it changes: plain synchronous code, one method a transaction.

The same contract as the SQL under ``postgres/migrations``, written the slow and obvious way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby, pairwise
from operator import attrgetter
from typing import NamedTuple

from atoll.causality.cut import Cut
from atoll.crdt.codec import merge_bytes
from atoll.errors import StaleRoute, Unavailable
from atoll.ids import Origin, RecordId, RegionName
from atoll.instant import ZERO, Timestamp
from atoll.keyspace.key_range import KeyRange
from atoll.ports import ApplyResult, Batch, Outcome, Ownership, Progress, RowWrite
from atoll.replication.rows import Row, encode_rows


class _Held(NamedTuple):
    """A record's row."""

    context: bytes
    state: bytes
    document: bytes | None


class _Change(NamedTuple):
    """A row of the change log."""

    transaction: int
    row: Row
    timestamp: Timestamp


class _Snapshot(NamedTuple):
    """Which transactions are seen: all below ``limit`` but those that were open."""

    limit: int
    open: frozenset[int]

    def sees(self, transaction: int) -> bool:
        return transaction < self.limit and transaction not in self.open


@dataclass(slots=True)
class MemoryShard:
    """The durable content of one shard."""

    origin: Origin
    incarnation: int = 1
    leased: int = 0
    records: dict[RecordId, _Held] = field(default_factory=dict)
    log: list[_Change] = field(default_factory=list)
    dependencies: list[tuple[int, Cut]] = field(default_factory=list)
    batches: dict[int, tuple[Batch, _Snapshot]] = field(default_factory=dict)
    completed: Cut = Cut.EMPTY
    begun: Cut = Cut.EMPTY
    acknowledged: dict[RegionName, int] = field(default_factory=dict)
    ownership: dict[bytes, Ownership] = field(default_factory=dict)
    next_transaction: int = 1
    open: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.batches[0] = (self._batch(0, Cut.EMPTY, ()), _Snapshot(0, frozenset()))

    def begin(self) -> int:
        """Number a transaction; it is open until :meth:`end`."""
        transaction = self.next_transaction
        self.next_transaction += 1
        self.open.add(transaction)
        return transaction

    def end(self, transaction: int) -> None:
        """The transaction has committed or is gone."""
        self.open.discard(transaction)

    def owns(self, position: bytes) -> bool:
        return any(position in part.range for part in self.ownership.values())

    def progress(self) -> Progress:
        captured = max(self.batches)
        _, snapshot = self.batches[captured]
        pending = any(not snapshot.sees(change.transaction) for change in self.log)
        return Progress(
            origin=self.origin, captured=captured, pending=pending, applied=self.completed, begun=self.begun
        )

    def write(self, transaction: int, rows: Sequence[RowWrite], dependencies: Cut) -> Sequence[Outcome]:
        if not rows:
            return []
        region = self.origin.region
        self.begun = self.begun.join(dependencies.without_region(region))
        siblings = Cut((o, n) for o, n in dependencies.items() if o.region == region and o != self.origin)
        if siblings:
            self.dependencies.append((transaction, siblings))
        return [self._write_row(transaction, row) for row in rows]

    def _write_row(self, transaction: int, write: RowWrite) -> Outcome:
        if not self.owns(write.id.position):
            return Outcome.FENCED
        held = self.records.get(write.id)
        if (held.context if held else b"") != write.previous_context:
            return Outcome.STALE
        self.records[write.id] = _Held(write.context, write.state, write.document)
        row = Row(write.id, write.previous_context, write.context, write.state, write.document, True)
        self.log.append(_Change(transaction, row, write.timestamp))
        return Outcome.DONE

    def capture(self) -> Batch | None:
        last, snapshot = self.batches[max(self.batches)]
        fresh = [change for change in self.log if not snapshot.sees(change.transaction)]
        if not fresh and not last.records:
            return None
        needed = self.begun
        for transaction, cut in self.dependencies:
            if not snapshot.sees(transaction):
                needed = needed.join(cut)
        needed = Cut({origin: number for origin, number in needed.items() if origin != self.origin})
        batch = self._batch(last.number + 1, needed, fresh)
        self.batches[batch.number] = (batch, _Snapshot(self.next_transaction, frozenset(self.open)))
        return batch

    def _batch(self, number: int, needed: Cut, changes: Sequence[_Change]) -> Batch:
        return Batch(
            origin=self.origin,
            incarnation=self.incarnation,
            number=number,
            dependencies=needed,
            records=len({change.row.id for change in changes}),
            timestamp=max((change.timestamp for change in changes), default=ZERO),
        )

    def batch_rows(self, number: int, allowed: Sequence[KeyRange]) -> bytes:
        if number not in self.batches or number - 1 not in self.batches:
            raise Unavailable(f"batch {number} of {self.origin} was collected, or not yet captured")
        (_, before), (_, after) = self.batches[number - 1], self.batches[number]
        rows = [c.row for c in self.log if after.sees(c.transaction) and not before.sees(c.transaction)]
        rows = [row for row in rows if any(row.id.position in part for part in allowed)]
        return encode_rows(row for _, changes in _by_record(rows) for row in _collapsed(changes))

    def collect(self, members: Sequence[RegionName]) -> int:
        last = max(self.batches)
        agreed = min((self.acknowledged.get(member, 0) for member in members), default=last)
        base = max((number for number in self.batches if number <= agreed), default=min(self.batches))
        self.batches = {number: found for number, found in self.batches.items() if number >= base}
        boundary = self.batches[base][1]
        before = len(self.log)
        self.log = [change for change in self.log if not boundary.sees(change.transaction)]
        self.dependencies = [each for each in self.dependencies if not boundary.sees(each[0])]
        return before - len(self.log)

    def claim(self, wanted: Ownership) -> None:
        for held in self.ownership.values():
            if held.range.overlaps(wanted.range) and held.range != wanted.range:
                raise StaleRoute(f"{self.origin} cannot claim {wanted.range}: it overlaps {held.range}")
            if held.range == wanted.range and held.epoch > wanted.epoch:
                raise StaleRoute(f"{self.origin} holds {wanted.range} at epoch {held.epoch} already")
        self.ownership[wanted.range.low] = wanted

    def join(self, begins: Cut, completes: Cut, rows: Sequence[Row]) -> ApplyResult:
        fenced = sorted({row.id for row in rows if not self.owns(row.id.position)})
        if fenced:
            return ApplyResult(inserted=0, overwritten=0, merged=0, unchanged=0, fenced=fenced)
        joined = {record: _join(self.records.get(record), changes) for record, changes in _by_record(rows)}
        self.records.update({record: held for record, (_, held) in joined.items()})
        self.completed = self.completed.join(completes)
        self.begun = self.begun.join(begins)
        counts = Counter(how for how, _ in joined.values())
        return ApplyResult(
            inserted=counts[_How.INSERTED],
            overwritten=counts[_How.OVERWRITTEN],
            merged=counts[_How.MERGED],
            unchanged=counts[_How.UNCHANGED],
        )


class _How(Enum):
    """What joining one record took: the fields of :class:`ApplyResult`."""

    INSERTED = "inserted"
    OVERWRITTEN = "overwritten"
    MERGED = "merged"
    UNCHANGED = "unchanged"


def _by_record(rows: Iterable[Row]) -> Iterator[tuple[RecordId, list[Row]]]:
    """Rows by record, in the order of the records; each record's rows in the order of arrival."""
    for record, found in groupby(sorted(rows, key=attrgetter("id")), key=attrgetter("id")):
        yield record, list(found)


def _collapsed(changes: Sequence[Row]) -> Sequence[Row]:
    """One record's changes in one batch: the last state on the first previous context, unless there are deltas."""
    if not all(change.complete for change in changes):
        return changes
    return [changes[-1]._replace(previous_context=changes[0].previous_context)]


def _is_chain(changes: Sequence[Row]) -> bool:
    """Whether each change is a whole state made on the one before."""
    links = all(earlier.context == later.previous_context for earlier, later in pairwise(changes))
    return links and all(change.complete for change in changes)


def _join(held: _Held | None, changes: Sequence[Row]) -> tuple[_How, _Held]:
    """One record's row after the join, and what that took."""
    last = changes[-1]
    arrived = _Held(last.context, last.state, last.document)
    if _is_chain(changes):
        if held is None:
            return _How.INSERTED, arrived
        if held.context == changes[0].previous_context:
            return _How.OVERWRITTEN, arrived
    merged = held or _Held(b"", b"", None)
    for change in changes:
        if change.context != merged.context or not change.complete:
            merged = _Held(*merge_bytes(merged[:2], (change.context, change.state))[:3])
    if held is None:
        return _How.INSERTED, merged
    if merged[:2] == held[:2]:
        return _How.UNCHANGED, held
    return _How.MERGED, merged
