"""A batch is checked for residency and split by the own shards before anything of it is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame, ResidencyViolation, StaleRoute
from atoll.ids import CollectionName, Origin, RecordId, RegionName, ShardName, ZoneName
from atoll.instant import Timestamp
from atoll.keyspace.shard_map import Assignment, ShardMap, initial_map
from atoll.replication.frames import ReceivedBatch
from atoll.replication.parcel import admit, cut_chunks
from atoll.replication.residency import ZoneSet
from atoll.replication.rows import Row, decode_rows, encode_rows, spans

HERE = RegionName("here")
ORIGIN = Origin(RegionName("peer"), ShardName("s9"))
EU, US = ZoneName("eu"), ZoneName("us")
S1, S2 = ShardName("s1"), ShardName("s2")
MAP = initial_map([EU], [S1, S2])


def row(position: bytes, size_bytes: int = 4) -> Row:
    return Row(RecordId(position, CollectionName("city"), "k"), b"", b"c", b"s" * size_bytes, None, True)


def received(*made: Row) -> ReceivedBatch:
    payload = encode_rows(made)
    return ReceivedBatch(
        origin=ORIGIN,
        incarnation=1,
        number=1,
        dependencies=Cut.EMPTY,
        timestamp=Timestamp(1),
        rows=payload,
        spans=list(spans(payload)),
    )


def eu(number: int) -> bytes:
    return b"eu\0" + number.to_bytes(8, "big")


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30))
def test_every_row_goes_to_the_shard_of_its_position_and_none_is_lost(numbers: list[int]) -> None:
    parcel = admit(received(*(row(eu(number)) for number in numbers)), ZoneSet(HERE, [EU]), MAP)
    found = []
    for shard, part in parcel.parts.items():
        for each in decode_rows(part):
            assignment = MAP.locate(each.id.position)
            assert assignment is not None
            assert assignment.shard == shard
            found.append(each.id.position)
    assert sorted(found) == sorted(map(eu, numbers))
    assert parcel.records == len(numbers)


def test_one_row_of_a_forbidden_zone_condemns_the_whole_batch() -> None:
    with pytest.raises(ResidencyViolation, match="zone 'us', which here may not hold"):
        admit(received(row(eu(1)), row(b"us\0" + bytes(8)), row(eu(2))), ZoneSet(HERE, [EU]), MAP)


def test_zone_nobody_has_heard_of_is_forbidden() -> None:
    with pytest.raises(ResidencyViolation):
        admit(received(row(b"e\0" + bytes(8))), ZoneSet(HERE, [EU, US]), MAP)


@pytest.mark.parametrize("position", [b"", b"eu", b"\xff\xff"])
def test_position_without_a_zone_is_corrupt(position: bytes) -> None:
    with pytest.raises(CorruptFrame, match="names no zone"):
        admit(received(row(position)), ZoneSet(HERE, [EU]), MAP)


def test_hosted_row_without_a_shard_in_the_map_is_a_stale_route() -> None:
    with pytest.raises(StaleRoute, match="has no shard"):
        admit(received(row(b"us\0" + bytes(8))), ZoneSet(HERE, [EU, US]), MAP)


def test_rerouting_follows_the_new_map_and_keeps_every_row() -> None:
    parcel = admit(received(*(row(eu(number << 56)) for number in range(0, 256, 8))), ZoneSet(HERE, [EU]), MAP)
    assert set(parcel.parts) == {S1, S2}
    everything = [Assignment(range=a.range, shard=S1, epoch=a.epoch + 1) for a in MAP.assignments]
    parcel.reroute(ShardMap(2, everything))
    assert set(parcel.parts) == {S1}
    assert len(list(decode_rows(parcel.parts[S1]))) == 32


@given(st.lists(st.integers(1, 400), max_size=20), st.integers(50, 1_000))
def test_chunks_hold_whole_rows_and_are_no_larger_than_asked(sizes: list[int], chunk_bytes: int) -> None:
    payload = encode_rows(row(eu(index), size) for index, size in enumerate(sizes))
    chunks = cut_chunks(payload, chunk_bytes)
    assert b"".join(chunks) == payload
    for chunk in chunks:
        count = len(list(spans(chunk)))
        assert len(chunk) <= chunk_bytes or count == 1
