"""Several ordered scans as one: the rows of a region's shards in the order of the keyspace line."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import count

from atoll.ids import RecordId
from atoll.ports import StoredRecord

Row = tuple[RecordId, StoredRecord]
Chunks = AsyncIterator[Sequence[Row]]


async def merged_scan(scans: Sequence[Chunks]) -> AsyncIterator[Row]:
    """The rows of all scans by :class:`RecordId`; holds one chunk of each. What a scan raises passes through."""
    tie = count()
    heap: list[tuple[RecordId, int, StoredRecord, Iterator[Row], Chunks]] = []

    async def push(rows: Iterator[Row], chunks: Chunks) -> None:
        found = next(rows, None)
        while found is None:
            chunk = await anext(chunks, None)
            if chunk is None:
                return
            rows = iter(chunk)
            found = next(rows, None)
        heapq.heappush(heap, (found[0], next(tie), found[1], rows, chunks))

    for scan in scans:
        await push(iter(()), scan)
    while heap:
        record, _, stored, rows, chunks = heapq.heappop(heap)
        yield record, stored
        await push(rows, chunks)
