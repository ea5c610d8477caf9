"""Cutting batches into frames and putting them together again without trusting the sender."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame, ResidencyViolation
from atoll.ids import CollectionName, Origin, RecordId, RegionName, ShardName, ZoneName
from atoll.instant import Timestamp
from atoll.replication.frames import Assembler, FrameCutter, ReceivedBatch
from atoll.replication.messages import BatchPart
from atoll.replication.residency import ZoneSet
from atoll.replication.rows import Row, encode_rows

HERE, PEER = RegionName("here"), RegionName("peer")
S1, S2 = Origin(PEER, ShardName("s1")), Origin(PEER, ShardName("s2"))
EU = ZoneSet(HERE, [ZoneName("eu")])


def rows(count: int, zone: str = "eu", state: bytes = b"state") -> bytes:
    return encode_rows(
        Row(
            RecordId(zone.encode() + b"\0" + number.to_bytes(8, "big"), CollectionName("city"), f"k{number}"),
            b"",
            b"context",
            state,
            b"{}",
            True,
        )
        for number in range(count)
    )


def parts(
    number: int, payload: bytes, origin: Origin = S1, frame_bytes: int = 64, incarnation: int = 1
) -> list[BatchPart]:
    """A batch as an honest sender sends it."""
    cutter = FrameCutter("a batch", EU, frame_bytes)
    payloads = [frame for start in range(0, len(payload), 50) for frame in cutter.add(payload[start : start + 50])]
    payloads.append(cutter.rest())
    made = [
        BatchPart(
            origin=origin,
            incarnation=incarnation,
            number=number,
            dependencies=Cut({S2: number}) if origin == S1 else Cut.EMPTY,
            timestamp=Timestamp(number),
            payload=each,
            final=False,
        )
        for each in payloads
    ]
    made[-1] = replace(made[-1], final=True, records=cutter.records, digest=cutter.digest())
    return made


def assembler(after: int = 0) -> Assembler:
    return Assembler(PEER, Cut({S1: after, S2: 0}), {})


def assembled(taker: Assembler, sent: list[BatchPart]) -> list[ReceivedBatch]:
    return [batch for part in sent if (batch := taker.add(part)) is not None]


def test_batch_comes_out_as_it_went_in() -> None:
    payload = rows(20)
    (batch,) = assembled(assembler(), parts(1, payload))
    assert batch.rows == payload
    assert len(batch.spans) == 20
    assert (batch.origin, batch.number, batch.incarnation) == (S1, 1, 1)
    assert (batch.dependencies, batch.timestamp) == (Cut({S2: 1}), Timestamp(1))


def test_empty_batch_is_one_final_part() -> None:
    sent = parts(1, b"")
    assert len(sent) == 1
    (batch,) = assembled(assembler(), sent)
    assert batch.rows == b""


@given(st.integers(0, 40), st.integers(1, 400), st.integers(1, 300))
def test_frames_keep_their_size_and_do_not_depend_on_how_rows_arrive(count: int, frame: int, piece: int) -> None:
    payload = rows(count)

    def cut(step: int) -> tuple[list[bytes], int, int]:
        cutter = FrameCutter("a batch", EU, frame)
        frames = [
            each for start in range(0, len(payload), step) for each in cutter.add(payload[start : start + step])
        ]
        return [*frames, cutter.rest()], cutter.records, cutter.digest()

    frames, records, digest = cut(piece)
    assert b"".join(frames) == payload
    assert all(len(each) <= frame for each in frames)
    assert (frames, records, digest) == cut(max(1, len(payload)))
    assert records == count


def test_parts_of_different_origins_may_alternate() -> None:
    one, two = parts(1, rows(9)), parts(1, rows(9), origin=S2)
    mixed = [part for pair in zip(one, two, strict=True) for part in pair]
    assert {batch.origin for batch in assembled(assembler(), mixed)} == {S1, S2}


@pytest.mark.parametrize("lost", range(5))
def test_lost_part_is_noticed_whichever_it_is(lost: int) -> None:
    sent = parts(1, rows(3)) + parts(2, rows(3))
    assert len(sent) > 5
    del sent[lost]
    with pytest.raises(CorruptFrame):
        assembled(assembler(), sent)


@pytest.mark.parametrize("doubled", range(4))
def test_doubled_part_is_noticed_whichever_it_is(doubled: int) -> None:
    sent = parts(1, rows(3))
    sent.insert(doubled, sent[doubled])
    with pytest.raises(CorruptFrame):
        assembled(assembler(), sent)


@given(st.data())
def test_any_flipped_bit_of_the_rows_is_noticed(data: st.DataObject) -> None:
    sent = parts(1, rows(4))
    index = data.draw(st.integers(0, len(sent) - 1))
    payload = bytearray(sent[index].payload)
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= 1 << data.draw(st.integers(0, 7))
    sent[index] = replace(sent[index], payload=bytes(payload))
    with pytest.raises(CorruptFrame, match="digest"):
        assembled(assembler(), sent)


def test_wrong_count_of_rows_is_noticed() -> None:
    sent = parts(1, rows(4))
    sent[-1] = replace(sent[-1], records=5)
    with pytest.raises(CorruptFrame, match="4 rows, 5 announced"):
        assembled(assembler(), sent)


@pytest.mark.parametrize(("after", "number"), [(0, 2), (3, 3), (3, 5), (3, 1)])
def test_batch_out_of_order_is_refused(after: int, number: int) -> None:
    with pytest.raises(CorruptFrame, match=f"batch {number} where {after + 1} follows"):
        assembled(assembler(after), parts(number, rows(1)))


def test_batch_interrupted_by_another_of_the_same_origin_is_refused() -> None:
    taker = assembler()
    taker.add(parts(1, rows(5))[0])
    with pytest.raises(CorruptFrame, match="interrupted by a part of batch 2"):
        taker.add(parts(2, rows(5))[0])


def test_batch_of_another_region_is_refused() -> None:
    foreign = Origin(RegionName("elsewhere"), ShardName("s1"))
    with pytest.raises(CorruptFrame, match="ships only its own shards"):
        assembled(assembler(), parts(1, rows(1), origin=foreign))


def test_older_incarnation_is_refused_even_on_a_new_stream() -> None:
    first = assembler()
    assembled(first, parts(1, rows(1), incarnation=3))
    second = Assembler(PEER, Cut({S1: 1}), first.incarnations)
    with pytest.raises(CorruptFrame, match="of incarnation 2, but 3 has been seen"):
        assembled(second, parts(2, rows(1), incarnation=2))


def test_cutter_refuses_a_row_of_a_zone_that_the_peer_may_not_hold() -> None:
    cutter = FrameCutter("batch 7 of peer/s1", EU)
    cutter.add(rows(2))
    with pytest.raises(ResidencyViolation, match=r"batch 7 of peer/s1 .* zone 'us', which here may not hold"):
        cutter.add(rows(1, zone="us"))


def test_cutter_refuses_rows_that_end_in_the_middle() -> None:
    cutter = FrameCutter("a batch", EU)
    cutter.add(rows(2)[:-1])
    with pytest.raises(CorruptFrame, match="middle of a tuple"):
        cutter.rest()
