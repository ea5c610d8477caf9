"""Small real records for storage tests: a counter written by named actors, and the rows that carry it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from atoll.causality.cut import Cut
from atoll.causality.dot import Dot
from atoll.crdt.codec import decode_record, encode_record
from atoll.crdt.operations import Delete, Increment, Update, Write
from atoll.crdt.record import Record
from atoll.crdt.schema import Rule, Schema
from atoll.ids import CollectionName, Origin, RecordId, RegionName, ShardName
from atoll.instant import Timestamp
from atoll.keyspace.key_range import EVERYTHING, KeyRange
from atoll.ports import Outcome, Rows, RowWrite, ShardStore, WriteResult
from atoll.replication.rows import Row, decode_rows

FRANKFURT = Origin(RegionName("frankfurt"), ShardName("s1"))
TOKYO = Origin(RegionName("tokyo"), ShardName("s1"))
OREGON = Origin(RegionName("oregon"), ShardName("s2"))
CITY = CollectionName("city")
SCHEMA = Schema(fields={"visits": Rule.COUNTER}, strict=False)


def record_id(number: int, zone: str = "eu", collection: str = "city") -> RecordId:
    """The ``number``-th record of a zone; greater numbers have greater positions."""
    return RecordId(zone.encode() + b"\0" + number.to_bytes(8, "big"), CollectionName(collection), f"k{number}")


def visits(amount: int = 1) -> Write:
    return Update((Increment("visits", amount),))


@dataclass(slots=True)
class Writer:
    """Writes records through a store as a lane does: reads, applies an operation, writes on what it read."""

    store: ShardStore
    counter: int = 0
    dependencies: Cut = field(default=Cut.EMPTY)

    async def increment(self, *ids: RecordId, amount: int = 1) -> WriteResult:
        return await self.write({each: visits(amount) for each in ids})

    async def delete(self, *ids: RecordId) -> WriteResult:
        return await self.write({each: Delete() for each in ids})

    async def write(self, operations: dict[RecordId, Write]) -> WriteResult:
        return await self.store.write(await self.prepare(operations), self.dependencies)

    async def prepare(self, operations: dict[RecordId, Write]) -> list[RowWrite]:
        """The rows of a write on what the store holds now."""
        held = await self.store.read(list(operations))
        rows = []
        for (record, operation), row in zip(operations.items(), held.records, strict=True):
            self.counter = (await self.store.lease_counters(1)).first
            before = decode_record(row.context, row.state) if row else Record.empty()
            rows.append(self.row(record, before, operation, self.counter))
        return rows

    def row(self, record: RecordId, before: Record, operation: Write, counter: int) -> RowWrite:
        stamp = Timestamp(counter)
        after = before.join(before.apply(operation, Dot(self.store.identity.actor, counter), stamp, SCHEMA))
        context, state = encode_record(after)
        return RowWrite(
            id=record,
            previous_context=encode_record(before)[0],
            context=context,
            state=state,
            document=after.document(),
            counter=counter,
            timestamp=stamp,
        )


async def increment_until_done(writer: Writer, record: RecordId) -> None:
    """Increment once for certain, however often another writer comes first."""
    while (await writer.increment(record)).outcomes[0] is not Outcome.DONE:
        pass


async def value_of(store: ShardStore, record: RecordId) -> dict[str, object] | None:
    """The value of one record, ``None`` if it is deleted or was never written."""
    (row,) = (await store.read([record])).records
    return decode_record(row.context, row.state).value() if row else None


async def visits_of(store: ShardStore, record: RecordId) -> object:
    return ((await value_of(store, record)) or {}).get("visits", 0)


async def collected(pieces: AsyncIterator[bytes]) -> Rows:
    return Rows(b"".join([piece async for piece in pieces]))


async def rows_of(store: ShardStore, number: int, allowed: Sequence[KeyRange] = (EVERYTHING,)) -> list[Row]:
    return list(decode_rows(await collected(store.batch_rows(number, allowed))))


async def capture_all(store: ShardStore) -> int:
    """Capture until there is nothing left; returns the number of the last batch."""
    while await store.capture() is not None:
        pass
    return (await store.progress()).captured


async def pull(source: ShardStore, target: ShardStore, *, one_by_one: bool = True) -> None:
    """Bring ``target`` up to the last captured batch of ``source``."""
    origin = source.identity.origin
    done = (await target.progress()).applied.at(origin)
    batches = await source.batches(done, 1_000)
    payloads = [await collected(source.batch_rows(batch.number, (EVERYTHING,))) for batch in batches]
    if one_by_one:
        for batch, payload in zip(batches, payloads, strict=True):
            await target.apply(Cut({origin: batch.number}), Cut({origin: batch.number}), payload)
    elif batches:
        last = batches[-1].number
        await target.apply(Cut({origin: last}), Cut({origin: last}), Rows(b"".join(payloads)))


async def contents(store: ShardStore) -> dict[RecordId, tuple[bytes, bytes]]:
    """Canonical bytes of everything in a store."""
    return {record: (held.context, held.state) async for chunk in store.scan(EVERYTHING) for record, held in chunk}
