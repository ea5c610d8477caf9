"""Slips in the shard's own functions, in the model that stands for the SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from tests.simulations.mutants.mutant import Mutant, Replacement

from atoll.causality.cut import Cut
from atoll.ids import RegionName
from atoll.ports import RowWrite
from atoll.replication.rows import Row
from atoll.simulation.storage import memory_shard
from atoll.simulation.storage.database import Database
from atoll.simulation.storage.joining import by_record
from atoll.simulation.storage.memory_shard import CapturedBatch, JoinPlan, MemoryShard
from atoll.simulation.storage.simulated_store import SimulatedShardStore

_draft_batch = MemoryShard.draft_batch
_plan_join = MemoryShard.plan_join
_commit_rows = MemoryShard.commit_rows
_apply = SimulatedShardStore.apply


def _draft_by_sequence(self: MemoryShard) -> CapturedBatch | None:
    draft = _draft_batch(self)
    return draft and draft._replace(snapshot=draft.snapshot._replace(open=frozenset()))


def _draft_without_dependencies(self: MemoryShard) -> CapturedBatch | None:
    draft = _draft_batch(self)
    return draft and draft._replace(batch=replace(draft.batch, dependencies=Cut.EMPTY))


def _draft_no_empty_batch(self: MemoryShard) -> CapturedBatch | None:
    return _draft_batch(self) if self.progress().pending else None


def _first_change(changes: Sequence[Row]) -> Sequence[Row]:
    return changes[:1]


def _any_row(_self: MemoryShard, _write: RowWrite) -> bool:
    return True


def _plan_over_bytes(self: MemoryShard, rows: Iterable[Row]) -> JoinPlan:
    """Rows are taken as bytes whatever the local context is."""
    return _plan_join(self, [row._replace(previous_context=_held_context(self, row)) for row in rows])


def _held_context(shard: MemoryShard, row: Row) -> bytes:
    held = shard.records.get(row.id)
    return held.context if held else row.previous_context


def _plan_without_last_record(self: MemoryShard, rows: Iterable[Row]) -> JoinPlan:
    records = [changes for _, changes in by_record(rows)]
    kept = records[:-1] if len(records) > 1 else records
    return _plan_join(self, [row for changes in kept for row in changes])


def _commit_without_tombstones(self: MemoryShard, transaction: int, rows: Sequence[RowWrite], cut: Cut) -> None:
    _commit_rows(self, transaction, rows, cut)
    for write in rows:
        if write.document is None:
            del self.records[write.id]


def _collectable_at_once(self: MemoryShard, _members: Sequence[RegionName]) -> int:
    return self.captured


def _collectable_by_fastest(self: MemoryShard, members: Sequence[RegionName]) -> int:
    agreed = max((self.acknowledged.get(member, 0) for member in members), default=self.captured)
    return max(self.oldest, min(agreed, self.captured))


async def _cuts_before_rows(self: SimulatedShardStore, begins: Cut, completes: Cut, rows: Any) -> Any:
    if rows:
        await _apply(self, begins, completes, type(rows)(b""))
    return await _apply(self, begins, completes, rows)


MUTANTS = (
    Mutant(
        name="capture-by-sequence",
        bug="a batch ends at the highest transaction number, and skips what is still open below it",
        promise="I5",
        scenario="everything-at-once",
        replacements=[Replacement(MemoryShard, "draft_batch", _draft_by_sequence)],
    ),
    Mutant(
        name="capture-forgets-dependencies",
        bug="a batch does not name what its changes depend on",
        promise="I4",
        scenario="everything-at-once",
        replacements=[Replacement(MemoryShard, "draft_batch", _draft_without_dependencies)],
    ),
    Mutant(
        name="no-empty-batch",
        bug="no empty batch follows a full one, so the number that a token names never comes",
        promise="I9",
        scenario="small-hours",
        seconds=20.0,
        replacements=[Replacement(MemoryShard, "draft_batch", _draft_no_empty_batch)],
    ),
    Mutant(
        name="first-change-sent",
        bug="of several changes of a record in one batch the first is sent, not the last",
        promise="I5",
        scenario="everything-at-once",
        replacements=[Replacement(memory_shard, "collapsed", _first_change)],
    ),
    Mutant(
        name="write-without-comparison",
        bug="a write replaces the record although somebody has changed it since it was read",
        promise="I1",
        scenario="everything-at-once",
        replacements=[Replacement(MemoryShard, "is_on", _any_row)],
    ),
    Mutant(
        name="deleted-without-tombstone",
        bug="a deleted record leaves no tombstone, so whoever has not heard of it brings it back",
        promise="I3",
        scenario="everything-at-once",
        replacements=[Replacement(MemoryShard, "commit_rows", _commit_without_tombstones)],
    ),
    Mutant(
        name="apply-overwrites",
        bug="a remote row replaces the local one although both sides have changed",
        promise="I3",
        scenario="everything-at-once",
        replacements=[Replacement(MemoryShard, "plan_join", _plan_over_bytes)],
    ),
    Mutant(
        name="apply-skips-a-record",
        bug="a batch counts as applied although one of its records was left out",
        promise="I5",
        scenario="everything-at-once",
        replacements=[Replacement(MemoryShard, "plan_join", _plan_without_last_record)],
    ),
    Mutant(
        name="cuts-before-rows",
        bug="a shard notes a batch as complete in one transaction and joins its rows in the next",
        promise="I4",
        scenario="everything-at-once",
        replacements=[Replacement(SimulatedShardStore, "apply", _cuts_before_rows)],
    ),
    Mutant(
        name="collected-at-once",
        bug="batches are deleted before the other regions have them",
        promise="I11",
        scenario="atlantic-cable-cut",
        replacements=[Replacement(MemoryShard, "collectable", _collectable_at_once)],
    ),
    Mutant(
        name="collected-after-fastest",
        bug="batches are deleted when the first of the other regions has them, not when the last has",
        promise="I11",
        scenario="atlantic-cable-cut",
        replacements=[Replacement(MemoryShard, "collectable", _collectable_by_fastest)],
    ),
    Mutant(
        name="other-history-accepted",
        bug="a replica that lagged is used after its promotion as if it were the original",
        promise="I2",
        scenario="lagging-replica-promoted",
        replacements=[Replacement(Database, "accepts_other_history", True)],
    ),
)
