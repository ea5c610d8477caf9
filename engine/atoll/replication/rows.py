"""Rows of a batch as they travel: whole tuples of the PostgreSQL binary COPY format, without header and trailer.

The sender's ``COPY … TO STDOUT`` makes them and the receiver's ``COPY … FROM STDIN`` takes them: in between nobody
decodes more than the position, which decides about residency and the receiving shard. A tuple is a 16-bit field
count, then per field a 32-bit length (-1 for null) and that many bytes, all big-endian. The columns, in order:

position, collection, key
    the record's identity (``bytea``, ``text``, ``text``)
previous_context
    the context the change was made on (``bytea``; empty: the record was new)
context, state
    canonical bytes as :mod:`atoll.crdt.codec` writes them (``bytea``)
document
    the readable value (``jsonb``: a version byte, then text); null if the record is deleted or the state is a delta
complete
    ``bool``: whether ``state`` is the whole record; otherwise it is a delta, to be joined
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from atoll.errors import CorruptFrame
from atoll.ids import CollectionName, RecordId
from atoll.limits import REPLICATED_ROW_BYTES_MAX

COLUMNS: Final = (
    "position",
    "collection",
    "key",
    "previous_context",
    "context",
    "state",
    "document",
    "complete",
)
HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What COPY wants before the first tuple: signature, flags, no extension."""
TRAILER: Final = b"\xff\xff"
"""What COPY wants after the last tuple: a field count of -1."""

_COUNT: Final = struct.pack(">h", len(COLUMNS))
_NULL: Final = struct.pack(">i", -1)
_JSONB_VERSION: Final = b"\x01"
_HEAD: Final = struct.Struct(">hi")
_LENGTH: Final = struct.Struct(">i")
_DOCUMENT: Final = COLUMNS.index("document")


class Row(NamedTuple):
    """One decoded tuple."""

    id: RecordId
    previous_context: bytes
    context: bytes
    state: bytes
    document: bytes | None
    complete: bool


class Span(NamedTuple):
    """Where one tuple lies in a buffer, and the position of its record."""

    position: bytes
    start: int
    end: int


def encode_row(row: Row) -> bytes:
    """One tuple. Equal rows have equal bytes."""
    document = None if row.document is None else _JSONB_VERSION + row.document
    fields = (
        row.id.position,
        row.id.collection.encode(),
        row.id.key.encode(),
        row.previous_context,
        row.context,
        row.state,
        document,
        b"\x01" if row.complete else b"\x00",
    )
    parts = [_COUNT]
    for value in fields:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(_LENGTH.pack(len(value)))
            parts.append(value)
    return b"".join(parts)


def encode_rows(rows: Iterable[Row]) -> bytes:
    """Several tuples, one after the other."""
    return b"".join(map(encode_row, rows))


def spans(buffer: bytes) -> Iterator[Span]:
    """The tuples of a buffer that holds whole ones only; raises :class:`CorruptFrame` on anything else."""
    offset = 0
    while offset < len(buffer):
        found = _span(buffer, offset)
        if found is None:
            raise CorruptFrame(f"rows end in the middle of a tuple: {len(buffer) - offset} bytes at {offset}")
        yield found
        offset = found.end


def decode_rows(buffer: bytes) -> Iterator[Row]:
    """All tuples of a buffer, decoded in full."""
    return (decode_row(buffer, span.start) for span in spans(buffer))


def decode_row(buffer: bytes, start: int = 0) -> Row:
    """Decode the tuple that begins at ``start``; raises :class:`CorruptFrame` if none does."""
    if _span(buffer, start) is None:
        raise CorruptFrame(f"no whole tuple at {start} of {len(buffer)} bytes")
    values = list(_fields(buffer, start + len(_COUNT)))
    position, collection, key, previous, context, state, document, complete = values
    if position is None or previous is None or context is None or state is None or complete not in (b"\0", b"\1"):
        raise CorruptFrame("a row lacks its position, a context, its state or its flag")
    return Row(
        RecordId(position, CollectionName(_text(collection)), _text(key)),
        previous,
        context,
        state,
        _document(document),
        complete == b"\1",
    )


class RowReader:
    """Cuts a stream that arrives in pieces into tuples; a piece may end anywhere."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> tuple[bytes, list[Span]]:
        """A buffer that begins with whole tuples, and where they lie in it; what follows them is kept for later."""
        buffer = self._rest + piece if self._rest else piece
        found: list[Span] = []
        offset = 0
        while (span := _span(buffer, offset)) is not None:
            found.append(span)
            offset = span.end
        self._rest = buffer[offset:]
        if len(self._rest) > REPLICATED_ROW_BYTES_MAX:
            raise CorruptFrame(f"a row is larger than {REPLICATED_ROW_BYTES_MAX} bytes")
        return buffer, found

    def finish(self) -> None:
        """The stream has ended; raises :class:`CorruptFrame` if it did so in the middle of a tuple."""
        if self._rest:
            raise CorruptFrame(f"rows end in the middle of a tuple: {len(self._rest)} bytes are left")


def _span(buffer: bytes, start: int) -> Span | None:
    """The tuple at ``start``, or ``None`` if it is not all there. Written for speed: it runs once a row."""
    try:
        count, length = _HEAD.unpack_from(buffer, start)
        if count != 8 or length < 0:
            raise CorruptFrame(f"a row has {count} fields or no position, not {len(COLUMNS)} fields")
        offset = start + 6
        end = offset + length
        position = buffer[offset:end]
        unpack = _LENGTH.unpack_from
        for _ in range(7):
            (length,) = unpack(buffer, end)
            end += 4
            if length > 0:
                end += length
            elif length < -1:
                raise CorruptFrame(f"a field has a length of {length}")
    except struct.error:
        return None
    if end - start > REPLICATED_ROW_BYTES_MAX:
        raise CorruptFrame(f"a row of {end - start} bytes is larger than {REPLICATED_ROW_BYTES_MAX}")
    return Span(position, start, end) if end <= len(buffer) else None


def _fields(buffer: bytes, offset: int) -> Iterator[bytes | None]:
    for _ in COLUMNS:
        (length,) = _LENGTH.unpack_from(buffer, offset)
        offset += 4
        yield None if length < 0 else buffer[offset : offset + length]
        offset += max(length, 0)


def _text(value: bytes | None) -> str:
    try:
        return (value or b"").decode()
    except UnicodeDecodeError as error:
        raise CorruptFrame(f"a name in a row is not UTF-8: {error}") from error


def _document(value: bytes | None) -> bytes | None:
    if value is None:
        return None
    if value[:1] != _JSONB_VERSION:
        raise CorruptFrame(f"a document in a row has version {value[:1]!r}")
    return value[1:]
