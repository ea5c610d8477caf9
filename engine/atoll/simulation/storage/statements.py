"""The statements of the shard's store on a simulated server, step by step as the SQL under ``postgres/migrations``.

Locks are taken in the order of the SQL: the fence (shared), the rows of applied cuts by origin, records by id. So two
transactions never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from atoll.causality.cut import Cut
from atoll.errors import Unavailable
from atoll.ids import RecordId, RegionName
from atoll.ports import (
    ApplyResult,
    Batch,
    CounterBlock,
    Outcome,
    Ownership,
    Rows,
    RowWrite,
    StoredRecord,
    WriteResult,
)
from atoll.replication.rows import Row, decode_rows
from atoll.simulation.observations import Applied, Captured, Collected, Committed, Minted, Observation
from atoll.simulation.storage.joining import Held
from atoll.simulation.storage.memory_shard import CapturedBatch, JoinPlan, MemoryShard
from atoll.simulation.storage.server import Server
from atoll.simulation.storage.steps import Commit, Content, Lock, Transaction, Work

_IDENTITY = ("identity",)
_OWNERSHIP = ("ownership",)
_CAPTURE = ("capture",)
_BATCHES = ("batches",)
_LOG = ("log",)


def record_lock(record: RecordId) -> Lock:
    """The lock of one record's row."""
    return Lock(("record", *record))


# -- records ------------------------------------------------------------------------------------------------------


def lease(count: int, _: Server, transaction: Transaction) -> Work[CounterBlock]:
    yield Lock(_IDENTITY)
    shard = transaction.content.shard
    first, last = shard.leased + 1, shard.leased + count

    def effect(content: Content) -> None:
        content.shard.leased = last

    def tell(content: Content, at: float) -> Observation:
        owner = content.shard
        return Minted(at=at, shard=owner.origin, incarnation=owner.incarnation, first=first, last=last)

    transaction.numbered()
    yield Commit(effect, tell)
    return CounterBlock(first, last)


def write(rows: Sequence[RowWrite], dependencies: Cut, server: Server, transaction: Transaction) -> Work[WriteResult]:
    """``rows`` in the order of their ids. The progress is read after the commit, in a snapshot of its own."""
    shard = transaction.content.shard
    owned = yield from _fence(shard, [row.id.position for row in rows])
    yield from _depend(transaction, dependencies)
    outcomes = []
    done = []
    for row, owner in zip(rows, owned, strict=True):
        outcome = Outcome.FENCED if owner is None else Outcome.STALE
        if owner is not None and shard.is_on(row):
            yield record_lock(row.id)
            if shard.is_on(row):  # looked at again: somebody may have come first while we waited
                transaction.numbered()
                done.append(row)
                outcome = Outcome.DONE
        outcomes.append(outcome)
    if transaction.number is not None:
        number, owners = transaction.number, shard.owned()
        yield Commit(
            partial(_rows_committed, number, done, dependencies),
            partial(_told_write, number, done, dependencies, owners, transaction.process),
        )
        yield server.statement_seconds()
    return WriteResult(outcomes=outcomes, progress=shard.progress())


def _rows_committed(number: int, rows: Sequence[RowWrite], dependencies: Cut, content: Content) -> None:
    content.shard.commit_rows(number, rows, dependencies)


def _told_write(
    number: int,
    rows: Sequence[RowWrite],
    dependencies: Cut,
    owned: Sequence[Ownership],
    process: str,
    content: Content,
    at: float,
) -> Observation:
    return Committed(
        at=at,
        shard=content.shard.origin,
        transaction=number,
        rows=rows,
        dependencies=dependencies,
        owned=owned,
        process=process,
    )


def _fence(shard: MemoryShard, positions: Sequence[bytes]) -> Work[list[Ownership | None]]:
    """Which ownership rows hold the positions, for as long as the transaction lives."""
    while True:
        owners = [shard.owner(position) for position in positions]
        needed = {row.range.low: row for row in owners if row is not None}
        for low in sorted(needed):
            yield Lock(("range", low), shared=True)
        if all(shard.ownership.get(low) == row for low, row in needed.items()):
            return owners


def _depend(transaction: Transaction, dependencies: Cut) -> Work[None]:
    origin = transaction.content.shard.origin
    remote = dependencies.without_region(origin.region)
    if any(other.region == origin.region and other != origin for other in dependencies):
        transaction.numbered()
    yield from _advance(transaction, remote, Cut.EMPTY)


def _advance(transaction: Transaction, begins: Cut, completes: Cut) -> Work[None]:
    """Lock the rows of the cuts that are going to move, and only these."""
    shard = transaction.content.shard
    for origin, number in sorted(begins.items()):
        if shard.begun.at(origin) < number or shard.completed.at(origin) < completes.at(origin):
            yield Lock(("applied", origin))
            transaction.numbered()


# -- batches ------------------------------------------------------------------------------------------------------


def capture(server: Server, transaction: Transaction) -> Work[Batch | None]:
    shard = transaction.content.shard
    if not server.try_lock(transaction, _CAPTURE):
        return None
    draft = shard.draft_batch()
    if draft is None:
        return None
    transaction.numbered()
    yield Commit(partial(_batch_added, draft), partial(_told_capture, draft))
    return draft.batch


def _batch_added(draft: CapturedBatch, content: Content) -> None:
    content.shard.add_batch(draft)


def _told_capture(draft: CapturedBatch, content: Content, at: float) -> Observation:
    changes = content.shard.changes_of(draft)
    return Captured(
        at=at,
        batch=draft.batch,
        transactions=content.shard.transactions_of(draft),
        records=sorted({change.row.id for change in changes}),
    )


def acknowledge(peer: RegionName, number: int, _: Server, transaction: Transaction) -> Work[None]:
    yield Lock(("acknowledged", peer))
    transaction.numbered()
    yield Commit(lambda content: content.shard.acknowledge(peer, number))


def collect_batches(members: Sequence[RegionName], _: Server, transaction: Transaction) -> Work[int]:
    shard = transaction.content.shard
    base = shard.collectable(members)
    if base > shard.oldest:
        yield Lock(_BATCHES)
        transaction.numbered()
        yield Commit(lambda content: content.shard.drop_batches(base), partial(_told_collection, base))
    return base


def _told_collection(base: int, content: Content, at: float) -> Observation:
    return Collected(at=at, shard=content.shard.origin, number=base)


def collect_log(base: int, _: Server, transaction: Transaction) -> Work[int]:
    shard = transaction.content.shard
    if base not in shard.batches:
        raise Unavailable(f"batch {base} of {shard.origin} is not here")
    boundary = shard.batches[base].snapshot
    if not shard.count_log(boundary):
        return 0
    yield Lock(_LOG)
    transaction.numbered()
    deleted = shard.count_log(boundary)
    yield Commit(lambda content: content.shard.delete_log(boundary))
    return deleted


# -- ownership ----------------------------------------------------------------------------------------------------


def claim(wanted: Ownership, _: Server, transaction: Transaction) -> Work[None]:
    """Waits until no transaction that relies on the row it replaces is in flight."""
    yield Lock(_OWNERSHIP)
    shard = transaction.content.shard
    shard.check_claim(wanted)
    low = wanted.range.low
    if low in shard.ownership:
        yield Lock(("range", low))
    transaction.numbered()
    yield Commit(lambda content: content.shard.ownership.__setitem__(low, wanted))


# -- remote rows --------------------------------------------------------------------------------------------------


def move_cuts(begins: Cut, completes: Cut, _: Server, transaction: Transaction) -> Work[ApplyResult]:
    yield from _advance(transaction, begins, completes)
    plan = JoinPlan(ApplyResult(inserted=0, overwritten=0, merged=0, unchanged=0), {})
    if transaction.number is not None:
        yield _join(begins, completes, plan, ())
    return plan.result


def stage_and_join(
    begins: Cut, completes: Cut, rows: Rows, server: Server, transaction: Transaction
) -> Work[ApplyResult]:
    """Begin, copy, join: leaves the transaction open with its locks, for the client to commit."""
    arrived = list(decode_rows(rows))
    shard = transaction.content.shard
    records = sorted({row.id for row in arrived})
    owned = yield from _fence(shard, [record.position for record in records])
    if None in owned:
        return shard.plan_join(arrived).result
    yield from _advance(transaction, begins, completes)
    transaction.numbered()
    for record in records:
        yield record_lock(record)
    plan = shard.plan_join(arrived)
    transaction.staged = _join(begins, completes, plan, arrived)
    yield server.statement_seconds()
    return plan.result


def commit_staged(_: Server, transaction: Transaction) -> Work[None]:
    assert transaction.staged is not None, "nothing was staged"
    yield transaction.staged


def roll_back(_: Server, __: Transaction) -> Work[None]:
    """Commits nothing: the transaction ends with the statement."""
    yield from ()


def _join(begins: Cut, completes: Cut, plan: JoinPlan, rows: Sequence[Row]) -> Commit:
    return Commit(partial(_joined, begins, completes, plan.held), partial(_told_join, begins, completes, plan, rows))


def _joined(begins: Cut, completes: Cut, held: Mapping[RecordId, Held], content: Content) -> None:
    content.shard.commit_join(begins, completes, held)


def _told_join(
    begins: Cut, completes: Cut, plan: JoinPlan, rows: Sequence[Row], content: Content, at: float
) -> Observation:
    before = content.shard.completed
    return Applied(
        at=at,
        shard=content.shard.origin,
        begins=begins,
        completes=completes,
        rows=rows,
        before=before,
        after=before.join(completes),
        held={record: StoredRecord(each.context, each.state) for record, each in plan.held.items()},
    )
