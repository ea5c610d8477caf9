"""The binary COPY tuples of a batch: encoding, cutting, decoding, and what hostile bytes meet."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.errors import CorruptFrame
from atoll.ids import CollectionName, RecordId
from atoll.limits import REPLICATED_ROW_BYTES_MAX
from atoll.replication.rows import (
    COLUMNS,
    Row,
    RowReader,
    decode_row,
    decode_rows,
    encode_row,
    encode_rows,
    spans,
)

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
rows = st.builds(
    Row,
    st.builds(RecordId, st.binary(max_size=12), texts.map(CollectionName), texts),
    st.binary(max_size=12),
    st.binary(max_size=12),
    st.binary(max_size=40),
    st.none() | st.binary(max_size=20),
    st.booleans(),
)
SAMPLE = Row(RecordId(b"eu\0abcdefgh", CollectionName("city"), "köln"), b"", b"c", b"state", b'{"n":1}', True)


@given(st.lists(rows, max_size=5))
def test_encoded_rows_decode_to_themselves(some: list[Row]) -> None:
    assert list(decode_rows(encode_rows(some))) == some


@given(st.lists(rows, max_size=5))
def test_spans_cover_the_buffer_and_name_each_position(some: list[Row]) -> None:
    buffer = encode_rows(some)
    found = list(spans(buffer))
    assert [span.position for span in found] == [row.id.position for row in some]
    assert [buffer[span.start : span.end] for span in found] == [encode_row(row) for row in some]
    assert all(left.end == right.start for left, right in pairwise(found))


@given(st.lists(rows, max_size=5), st.data())
def test_reader_finds_the_same_tuples_wherever_the_stream_is_cut(some: list[Row], data: st.DataObject) -> None:
    buffer = encode_rows(some)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(buffer)), max_size=8)))
    reader = RowReader()
    found: list[bytes] = []
    for start, end in pairwise([0, *cuts, len(buffer)]):
        whole, tuples = reader.feed(buffer[start:end])
        found += [whole[span.start : span.end] for span in tuples]
    reader.finish()
    assert found == [encode_row(row) for row in some]


@given(rows, st.data())
def test_truncated_tuple_is_corrupt(row: Row, data: st.DataObject) -> None:
    whole = encode_row(row)
    part = whole[: data.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(CorruptFrame):
        list(spans(part))
    with pytest.raises(CorruptFrame):
        decode_row(part)
    reader = RowReader()
    assert reader.feed(part)[1] == []
    with pytest.raises(CorruptFrame):
        reader.finish()


@given(st.binary(max_size=200))
def test_arbitrary_bytes_decode_or_are_corrupt(noise: bytes) -> None:
    try:
        found = list(decode_rows(noise))
    except CorruptFrame:
        return
    assert encode_rows(found) == noise or any(row.id.collection == "" or row.id.key == "" for row in found)


@given(rows, st.data())
def test_tuple_with_one_changed_byte_never_raises_anything_else(row: Row, data: st.DataObject) -> None:
    whole = bytearray(encode_row(row))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    with suppress(CorruptFrame):
        list(decode_rows(bytes(whole)))


def test_tuple_is_what_postgres_writes() -> None:
    encoded = encode_row(SAMPLE._replace(document=None, complete=False))
    assert encoded[:2] == len(COLUMNS).to_bytes(2, "big")
    assert encoded[2:17] == b"\0\0\0\x0beu\0abcdefgh"
    assert encoded.endswith(b"\0\0\0\x05state" + b"\xff\xff\xff\xff" + b"\0\0\0\x01\0")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda whole: b"\0\x07" + whole[2:], "7 fields"),
        (lambda whole: whole[:2] + b"\xff\xff\xff\xff" + whole[6:], "no position"),
        (lambda whole: whole.replace(b"\0\0\0\x04city", b"\xff\xff\xff\xfecity"), "length of -2"),
        (lambda whole: whole.replace(b"\xc3\xb6", b"\xc3\xc3"), "not UTF-8"),
        (lambda whole: whole.replace(b"\x01{", b"\x02{"), "version"),
        (lambda whole: whole[:-1] + b"\x02", "flag"),
    ],
)
def test_damaged_tuple_is_corrupt_and_says_why(damage: object, complaint: str) -> None:
    assert callable(damage)
    with pytest.raises(CorruptFrame, match=complaint):
        list(decode_rows(damage(encode_row(SAMPLE))))


def test_tuple_that_claims_to_be_huge_is_refused_before_it_is_buffered() -> None:
    claim = (8).to_bytes(2, "big") + REPLICATED_ROW_BYTES_MAX.to_bytes(4, "big")
    with pytest.raises(CorruptFrame, match="larger than"):
        RowReader().feed(claim + bytes(REPLICATED_ROW_BYTES_MAX))
