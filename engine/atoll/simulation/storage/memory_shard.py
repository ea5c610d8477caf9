"""What a shard in memory keeps, and the rules by which it changes: plain synchronous code, as obvious as can be.

The same contract as the SQL under ``postgres/migrations``. What reads decides in one call (:meth:`judge`,
:meth:`draft_batch`, :meth:`plan_join`) and what it decided takes effect in another (:meth:`commit_rows`,
:meth:`add_batch`, :meth:`commit_join`): in between lie a flush, other people's transactions, and perhaps a crash.
As in the SQL the log has one index, by transaction: a batch costs what changed since the one before, not what was
ever written.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, fields
from typing import NamedTuple

from atoll.causality.cut import Cut
from atoll.errors import StaleRoute, Unavailable
from atoll.ids import CollectionName, Origin, RecordId, RegionName
from atoll.instant import ZERO, Timestamp
from atoll.keyspace.key_range import KeyRange
from atoll.ports import (
    ApplyResult,
    Batch,
    Outcome,
    Ownership,
    Progress,
    ReadResult,
    RowWrite,
    StoredRecord,
    StoreStatistics,
)
from atoll.replication.rows import Row, encode_rows
from atoll.simulation.storage.joining import Held, How, by_record, collapsed, joined


class Change(NamedTuple):
    """A row of the change log."""

    transaction: int
    ordinal: int
    """Drawn under the record's lock: it orders the changes of one record, which the transaction does not."""
    row: Row
    timestamp: Timestamp


class Snapshot(NamedTuple):
    """Which transactions are seen: all below ``limit`` but those that were open."""

    limit: int
    open: frozenset[int]

    def sees(self, transaction: int) -> bool:
        return transaction < self.limit and transaction not in self.open


class CapturedBatch(NamedTuple):
    """A batch and its boundary: its content is what its snapshot sees and its predecessor's does not."""

    batch: Batch
    snapshot: Snapshot


class JoinPlan(NamedTuple):
    """What joining a chunk would make of the shard."""

    result: ApplyResult
    held: Mapping[RecordId, Held]


@dataclass(slots=True)
class MemoryShard:
    """The durable content of one shard."""

    origin: Origin
    incarnation: int = 1
    birth: str = ""
    leased: int = 0
    records: dict[RecordId, Held] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)
    """In the order in which the changes became visible."""
    dependencies: dict[int, Cut] = field(default_factory=dict)
    batches: dict[int, CapturedBatch] = field(default_factory=dict)
    """In the order of their numbers, which are dense; the last one collected stays as the base."""
    completed: Cut = Cut.EMPTY
    begun: Cut = Cut.EMPTY
    acknowledged: dict[RegionName, int] = field(default_factory=dict)
    ownership: dict[bytes, Ownership] = field(default_factory=dict)
    next_transaction: int = 1
    open: set[int] = field(default_factory=set)
    _by_transaction: dict[int, list[Change]] = field(default_factory=dict)
    _transactions: list[int] = field(default_factory=list)
    """The keys of the index above, in order."""
    _ordinal: int = 0

    def __post_init__(self) -> None:
        self.batches[0] = CapturedBatch(self._batch(0, Cut.EMPTY, ()), Snapshot(0, frozenset()))

    def copy(self) -> MemoryShard:
        """A shard of its own with the same content."""
        twin = MemoryShard(self.origin)
        for each in fields(self):
            value = getattr(self, each.name)
            setattr(twin, each.name, copy(value) if isinstance(value, (dict, list, set)) else value)
        twin._by_transaction = {number: list(changes) for number, changes in self._by_transaction.items()}
        return twin

    # -- transactions ---------------------------------------------------------------------------------------------

    def begin(self) -> int:
        """Number a transaction; it is open until :meth:`end`."""
        transaction = self.next_transaction
        self.next_transaction += 1
        self.open.add(transaction)
        return transaction

    def end(self, transaction: int) -> None:
        """The transaction has committed or is gone."""
        self.open.discard(transaction)

    def snapshot(self) -> Snapshot:
        """What a statement that begins now sees."""
        return Snapshot(self.next_transaction, frozenset(self.open))

    # -- records --------------------------------------------------------------------------------------------------

    def owner(self, position: bytes) -> Ownership | None:
        """The ownership row that holds a position."""
        return next((row for row in self.ownership.values() if position in row.range), None)

    def owns(self, position: bytes) -> bool:
        return self.owner(position) is not None

    @property
    def captured(self) -> int:
        """The number of the last batch."""
        return next(reversed(self.batches))

    def progress(self) -> Progress:
        number, (_, snapshot) = next(reversed(self.batches.items()))
        return Progress(
            origin=self.origin,
            captured=number,
            pending=bool(self._fresh_transactions(snapshot)),
            applied=self.completed,
            begun=self.begun,
        )

    def read(self, ids: Sequence[RecordId]) -> ReadResult:
        """Records and progress, all as they are now."""
        owned = [self.owns(each.position) for each in ids]
        held = [self.records.get(each) if own else None for each, own in zip(ids, owned, strict=True)]
        return ReadResult(
            outcomes=[Outcome.DONE if own else Outcome.FENCED for own in owned],
            records=[StoredRecord(row.context, row.state) if row else None for row in held],
            progress=self.progress(),
        )

    def scan(self, within: KeyRange, collection: CollectionName | None) -> Sequence[tuple[RecordId, StoredRecord]]:
        """All rows of a range, in order."""
        return [
            (record, StoredRecord(held.context, held.state))
            for record, held in sorted(self.records.items())
            if record.position in within and collection in (None, record.collection)
        ]

    def statistics(self) -> StoreStatistics:
        live = sum(held.document is not None for held in self.records.values())
        return StoreStatistics(
            records=live,
            tombstones=len(self.records) - live,
            log_rows=len(self.log),
            log_bytes=sum(len(change.row.state) + len(change.row.context) for change in self.log),
            captured=self.captured,
        )

    def judge(self, write: RowWrite) -> Outcome:
        """What would become of one row of a write."""
        if not self.owns(write.id.position):
            return Outcome.FENCED
        return Outcome.DONE if self.is_on(write) else Outcome.STALE

    def is_on(self, write: RowWrite) -> bool:
        """Whether the record's context is the one that the write was made on."""
        held = self.records.get(write.id)
        return (held.context if held else b"") == write.previous_context

    def write(self, transaction: int, rows: Sequence[RowWrite], dependencies: Cut) -> Sequence[Outcome]:
        """Judge and commit at once: for stores whose calls are atomic."""
        outcomes = [self.judge(row) for row in rows]
        done = [row for row, outcome in zip(rows, outcomes, strict=True) if outcome is Outcome.DONE]
        if rows:
            self.commit_rows(transaction, done, dependencies)
        return outcomes

    def commit_rows(self, transaction: int, rows: Sequence[RowWrite], dependencies: Cut) -> None:
        """Rows that were judged ``DONE`` become visible, with what the sessions behind the transaction had seen."""
        region = self.origin.region
        self.begun = self.begun.join(dependencies.without_region(region))
        siblings = Cut((o, n) for o, n in dependencies.items() if o.region == region and o != self.origin)
        if siblings:
            self.dependencies[transaction] = siblings
        for write in rows:
            self.records[write.id] = Held(write.context, write.state, write.document)
            row = Row(write.id, write.previous_context, write.context, write.state, write.document, True)
            self._ordinal += 1
            self._append(Change(transaction, self._ordinal, row, write.timestamp))

    def _append(self, change: Change) -> None:
        self.log.append(change)
        known = self._by_transaction.get(change.transaction)
        if known is None:
            self._by_transaction[change.transaction] = [change]
            insort(self._transactions, change.transaction)
        else:
            known.append(change)

    # -- batches --------------------------------------------------------------------------------------------------

    def capture(self) -> Batch | None:
        """Draft and add at once: for stores whose calls are atomic."""
        draft = self.draft_batch()
        if draft is None:
            return None
        self.add_batch(draft)
        return draft.batch

    def draft_batch(self) -> CapturedBatch | None:
        """The next batch as a statement that begins now sees it; ``None`` if there is nothing to capture."""
        last, previous = self.batches[self.captured]
        fresh = self._fresh_transactions(previous)
        if not fresh and not last.records:
            return None
        needed = self.begun
        for transaction, cut in self.dependencies.items():
            if not previous.sees(transaction):
                needed = needed.join(cut)
        needed = Cut({origin: number for origin, number in needed.items() if origin != self.origin})
        changes = [change for transaction in fresh for change in self._by_transaction[transaction]]
        return CapturedBatch(self._batch(last.number + 1, needed, changes), self.snapshot())

    def add_batch(self, draft: CapturedBatch) -> None:
        """A drafted batch becomes visible."""
        assert draft.batch.number == self.captured + 1, f"{draft.batch} does not follow {self.captured}"
        self.batches[draft.batch.number] = draft

    def _batch(self, number: int, needed: Cut, changes: Sequence[Change]) -> Batch:
        return Batch(
            origin=self.origin,
            incarnation=self.incarnation,
            number=number,
            dependencies=needed,
            records=len({change.row.id for change in changes}),
            timestamp=max((change.timestamp for change in changes), default=ZERO),
        )

    def _fresh_transactions(self, previous: Snapshot) -> list[int]:
        """Those in the log that ``previous`` does not see, by two probes of the index as in the SQL: at or above its
        limit, or open for it."""
        fresh = self._transactions[bisect_left(self._transactions, previous.limit) :]
        if previous.open:
            fresh += [number for number in sorted(previous.open) if number in self._by_transaction]
        return fresh

    def transactions_of(self, draft: CapturedBatch) -> Sequence[int]:
        """Whose changes a batch holds; its predecessor must not have been collected."""
        previous = self.batches[draft.batch.number - 1].snapshot
        return [number for number in self._fresh_transactions(previous) if draft.snapshot.sees(number)]

    def changes_of(self, draft: CapturedBatch) -> Sequence[Change]:
        """The changes that a batch holds, in the order in which they were made."""
        found = [change for number in self.transactions_of(draft) for change in self._by_transaction[number]]
        return sorted(found, key=lambda change: change.ordinal)

    def batches_above(self, number: int, limit: int) -> Sequence[Batch]:
        """Headers in order, up to ``limit`` of them."""
        first = max(number + 1, self.oldest, 1)
        return [self.batches[place].batch for place in range(first, min(first + limit, self.captured + 1))]

    def batch_rows(self, number: int, allowed: Sequence[KeyRange]) -> bytes:
        if number not in self.batches or number - 1 not in self.batches:
            raise Unavailable(f"batch {number} of {self.origin} was collected, or not yet captured")
        rows = (change.row for change in self.changes_of(self.batches[number]))
        rows = (row for row in rows if any(row.id.position in part for part in allowed))
        return encode_rows(row for _, changes in by_record(rows) for row in collapsed(changes))

    # -- retention ------------------------------------------------------------------------------------------------

    def collect(self, members: Sequence[RegionName]) -> int:
        """Forget batches and their log at once: for stores whose calls are atomic."""
        base = self.collectable(members)
        boundary = self.batches[base].snapshot
        self.drop_batches(base)
        return self.delete_log(boundary)

    @property
    def oldest(self) -> int:
        """The number of the first batch that is kept: the base of the next."""
        return next(iter(self.batches))

    def collectable(self, members: Sequence[RegionName]) -> int:
        """The last batch that all members have acknowledged; it stays as the base of the next."""
        agreed = min((self.acknowledged.get(member, 0) for member in members), default=self.captured)
        return max(self.oldest, min(agreed, self.captured))

    def drop_batches(self, base: int) -> None:
        """Forget the batches before ``base``."""
        for number in range(self.oldest, base):
            del self.batches[number]

    def count_log(self, boundary: Snapshot) -> int:
        """How many log rows a snapshot sees: they are in its batch or before it, so nobody will ask for them."""
        return sum(len(self._by_transaction[number]) for number in self._seen_by(boundary))

    def delete_log(self, boundary: Snapshot) -> int:
        """Delete the log rows that a snapshot sees; returns how many these were."""
        self.dependencies = {n: cut for n, cut in self.dependencies.items() if not boundary.sees(n)}
        gone = set(self._seen_by(boundary))
        if not gone:
            return 0
        before = len(self.log)
        self.log = [change for change in self.log if change.transaction not in gone]
        self._transactions = [number for number in self._transactions if number not in gone]
        for number in sorted(gone):
            del self._by_transaction[number]
        return before - len(self.log)

    def _seen_by(self, boundary: Snapshot) -> Sequence[int]:
        reach = bisect_left(self._transactions, boundary.limit)
        return [number for number in self._transactions[:reach] if boundary.sees(number)]

    def acknowledge(self, peer: RegionName, number: int) -> None:
        self.acknowledged[peer] = max(number, self.acknowledged.get(peer, 0))

    # -- ownership ------------------------------------------------------------------------------------------------

    def owned(self) -> Sequence[Ownership]:
        """The ownership rows in order of position."""
        return [row for _, row in sorted(self.ownership.items())]

    def claim(self, wanted: Ownership) -> None:
        """Check and commit at once: for stores whose calls are atomic."""
        self.check_claim(wanted)
        self.ownership[wanted.range.low] = wanted

    def check_claim(self, wanted: Ownership) -> None:
        """Raises :class:`StaleRoute` if a claim would be refused."""
        for held in self.ownership.values():
            if held.range.overlaps(wanted.range) and held.range != wanted.range:
                raise StaleRoute(f"{self.origin} cannot claim {wanted.range}: it overlaps {held.range}")
            if held.range == wanted.range and held.epoch > wanted.epoch:
                raise StaleRoute(f"{self.origin} holds {wanted.range} at epoch {held.epoch} already")

    # -- remote rows ----------------------------------------------------------------------------------------------

    def join(self, begins: Cut, completes: Cut, rows: Sequence[Row]) -> ApplyResult:
        """Plan and commit at once: for stores whose calls are atomic."""
        plan = self.plan_join(rows)
        if not plan.result.fenced:
            self.commit_join(begins, completes, plan.held)
        return plan.result

    def plan_join(self, rows: Iterable[Row]) -> JoinPlan:
        """What remote rows would make of the records as they are now; nothing if one of them is fenced. Raises
        :class:`~atoll.errors.CorruptFrame`."""
        arrived = list(by_record(rows))
        fenced = [record for record, _ in arrived if not self.owns(record.position)]
        if fenced:
            return JoinPlan(ApplyResult(inserted=0, overwritten=0, merged=0, unchanged=0, fenced=fenced), {})
        found = {record: joined(self.records.get(record), changes) for record, changes in arrived}
        counts = Counter(how for how, _ in found.values())
        result = ApplyResult(
            inserted=counts[How.INSERTED],
            overwritten=counts[How.OVERWRITTEN],
            merged=counts[How.MERGED],
            unchanged=counts[How.UNCHANGED],
        )
        return JoinPlan(result, {record: held for record, (_, held) in found.items()})

    def commit_join(self, begins: Cut, completes: Cut, held: Mapping[RecordId, Held]) -> None:
        """Joined records become visible, and the cuts move."""
        self.records.update(held)
        self.completed = self.completed.join(completes)
        self.begun = self.begun.join(begins)
