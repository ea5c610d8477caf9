"""Ordered scans of several shards come out as one ordered scan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from atoll.ids import CollectionName, RecordId
from atoll.node.control import row_digest
from atoll.node.merged_scan import Row, merged_scan
from atoll.ports import StoredRecord

STORED = StoredRecord(b"c", b"s")


def row(number: int) -> Row:
    return RecordId(number.to_bytes(2, "big"), CollectionName("cities"), f"k{number}"), STORED


async def chunks(numbers: Sequence[int], size: int) -> AsyncIterator[Sequence[Row]]:
    for start in range(0, len(numbers), size):
        yield [row(number) for number in numbers[start : start + size]]
        yield []


@given(st.lists(st.integers(0, 200), unique=True), st.integers(1, 4), st.integers(1, 5))
async def test_rows_of_all_shards_come_in_order(numbers: list[int], shards: int, size: int) -> None:
    scans = [chunks(sorted(numbers[shard::shards]), size) for shard in range(shards)]
    assert [found async for found in merged_scan(scans)] == [row(number) for number in sorted(numbers)]


def test_digest_tells_every_part_apart() -> None:
    record = RecordId(b"p", CollectionName("ab"), "c")
    digests = {
        row_digest(record, StoredRecord(b"x", b"y")),
        row_digest(record, StoredRecord(b"xy", b"")),
        row_digest(record, StoredRecord(b"", b"xy")),
        row_digest(record._replace(key="d"), StoredRecord(b"x", b"y")),
        row_digest(RecordId(b"p", CollectionName("a"), "bc"), StoredRecord(b"x", b"y")),
    }
    assert len(digests) == 5


def test_digest_does_not_depend_on_where_a_region_keeps_the_row() -> None:
    here = RecordId(b"p", CollectionName("a"), "k")
    assert row_digest(here, STORED) == row_digest(here._replace(position=b"q"), STORED)
