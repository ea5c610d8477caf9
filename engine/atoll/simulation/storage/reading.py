"""Statements that only look: each is one snapshot, takes no lock, and flushes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from atoll.ids import CollectionName, RecordId, RegionName
from atoll.keyspace.key_range import KeyRange
from atoll.ports import Batch, Ownership, Progress, ReadResult, StoredRecord, StoreStatistics
from atoll.simulation.storage.server import Server
from atoll.simulation.storage.steps import Transaction, Work


def read(ids: Sequence[RecordId], _: Server, transaction: Transaction) -> Work[ReadResult]:
    """Records, with the progress of the same snapshot."""
    yield from ()
    return transaction.content.shard.read(ids)


def progress(_: Server, transaction: Transaction) -> Work[Progress]:
    yield from ()
    return transaction.content.shard.progress()


def batches(after: int, limit: int, _: Server, transaction: Transaction) -> Work[Sequence[Batch]]:
    yield from ()
    return transaction.content.shard.batches_above(after, limit)


def batch_rows(number: int, allowed: Sequence[KeyRange], _: Server, transaction: Transaction) -> Work[bytes]:
    yield from ()
    return transaction.content.shard.batch_rows(number, allowed)


def acknowledged(_: Server, transaction: Transaction) -> Work[Mapping[RegionName, int]]:
    yield from ()
    return dict(transaction.content.shard.acknowledged)


def ownership(_: Server, transaction: Transaction) -> Work[Sequence[Ownership]]:
    yield from ()
    return transaction.content.shard.owned()


def scan(
    within: KeyRange, collection: CollectionName | None, _: Server, transaction: Transaction
) -> Work[Sequence[tuple[RecordId, StoredRecord]]]:
    yield from ()
    return transaction.content.shard.scan(within, collection)


def statistics(_: Server, transaction: Transaction) -> Work[StoreStatistics]:
    yield from ()
    return transaction.content.shard.statistics()
