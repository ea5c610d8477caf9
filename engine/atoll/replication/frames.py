"""Batches on the wire: cutting a batch into frames, and putting it together again without trusting the sender.

The sender streams a batch's rows through :class:`FrameCutter`; the receiver feeds each part to :class:`Assembler`,
which gives a batch back only when everything about it holds: numbers are dense, parts of one batch agree and are not
interrupted per origin, the tuples are whole and as many as announced, the digest over all bytes is right, and the
incarnation never goes back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xxhash import xxh3_64

from atoll.causality.cut import Cut
from atoll.errors import CorruptFrame
from atoll.ids import Origin, RegionName
from atoll.instant import Timestamp
from atoll.limits import FRAME_BYTES
from atoll.replication.messages import BatchPart
from atoll.replication.residency import ZoneSet
from atoll.replication.rows import RowReader, Span, spans


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedBatch:
    """A whole, verified batch of a remote origin."""

    origin: Origin
    incarnation: int
    number: int
    dependencies: Cut
    timestamp: Timestamp
    rows: bytes = field(repr=False)
    spans: Sequence[Span] = field(repr=False)


class FrameCutter:
    """Cuts one batch's rows into payloads of at most ``FRAME_BYTES`` while digest, count and zones are taken.

    Every row is looked at once more before it leaves: one of a zone that is not ``allowed`` raises
    :class:`ResidencyViolation`, whatever the storage was asked for (promise I8).
    """

    __slots__ = ("_allowed", "_buffer", "_digest", "_frame_bytes", "_name", "_reader", "records", "size_bytes")

    def __init__(self, name: str, allowed: ZoneSet, frame_bytes: int | None = None) -> None:
        self._name = name
        self._allowed = allowed
        self._buffer = bytearray()
        self._digest = xxh3_64()
        self._frame_bytes = FRAME_BYTES if frame_bytes is None else frame_bytes
        self._reader = RowReader()
        self.size_bytes = 0
        self.records = 0

    def add(self, piece: bytes) -> Sequence[bytes]:
        """Take a piece of rows; returns the frames that are full. The rest waits for more, or for :meth:`rest`."""
        _, found = self._reader.feed(piece)
        self._allowed.refuse_others(found, self._name)
        self.records += len(found)
        self._digest.update(piece)
        self.size_bytes += len(piece)
        self._buffer += piece
        return list(self._full_frames())

    def rest(self) -> bytes:
        """The payload of the final frame; may be empty. Raises :class:`CorruptFrame` if a row was cut short."""
        self._reader.finish()
        return bytes(self._buffer)

    def digest(self) -> int:
        """xxh3-64 over everything added."""
        return self._digest.intdigest()

    def _full_frames(self) -> Iterator[bytes]:
        while len(self._buffer) > self._frame_bytes:
            yield bytes(self._buffer[: self._frame_bytes])
            del self._buffer[: self._frame_bytes]


@dataclass(slots=True)
class _Open:
    """A batch whose final part has yet to come."""

    first: BatchPart
    payloads: list[bytes]


class Assembler:
    """The receiving end of one stream. Any breach raises :class:`CorruptFrame`; the stream must then be dropped."""

    def __init__(self, peer: RegionName, after: Cut, incarnations: Mapping[Origin, int]) -> None:
        """``after``: the last batch of each origin that the stream was asked to go on from. ``incarnations``: the
        newest seen of each origin on earlier streams."""
        self._peer = peer
        self._last = dict(after)
        self._incarnations = dict(incarnations)
        self._open: dict[Origin, _Open] = {}

    @property
    def incarnations(self) -> Mapping[Origin, int]:
        """The newest incarnation seen of each origin."""
        return self._incarnations

    def received(self, origin: Origin) -> int:
        """The last batch of ``origin`` that has arrived whole, on this stream or before it."""
        return self._last.get(origin, 0)

    def add(self, part: BatchPart) -> ReceivedBatch | None:
        """Take the next part; returns the batch when it was the final one."""
        opened = self._open.get(part.origin)
        if opened is None:
            self._check_first(part)
            opened = self._open[part.origin] = _Open(part, [])
        else:
            _check_continues(opened.first, part)
        opened.payloads.append(part.payload)
        if not part.final:
            return None
        del self._open[part.origin]
        return self._close(part, b"".join(opened.payloads))

    def _check_first(self, part: BatchPart) -> None:
        if part.origin.region != self._peer:
            raise CorruptFrame(f"{self._peer} sent a batch of {part.origin}: a region ships only its own shards")
        expected = self._last.get(part.origin, 0) + 1
        if part.number != expected:
            raise CorruptFrame(f"{part.origin} sent batch {part.number} where {expected} follows")
        newest = self._incarnations.get(part.origin, 1)
        if part.incarnation < newest:
            raise CorruptFrame(
                f"{part.origin} sent batch {part.number} of incarnation {part.incarnation}, but {newest} has been "
                "seen: an older copy of the shard is running"
            )

    def _close(self, part: BatchPart, rows: bytes) -> ReceivedBatch:
        name = f"batch {part.number} of {part.origin}"
        if (digest := xxh3_64(rows).intdigest()) != part.digest:
            raise CorruptFrame(f"{name}: digest {digest:016x} of {len(rows)} bytes, {part.digest:016x} announced")
        found = list(spans(rows))
        if len(found) != part.records:
            raise CorruptFrame(f"{name}: {len(found)} rows, {part.records} announced")
        self._last[part.origin] = part.number
        self._incarnations[part.origin] = part.incarnation
        return ReceivedBatch(
            origin=part.origin,
            incarnation=part.incarnation,
            number=part.number,
            dependencies=part.dependencies,
            timestamp=part.timestamp,
            rows=rows,
            spans=found,
        )


def _check_continues(first: BatchPart, part: BatchPart) -> None:
    same = (
        part.number == first.number
        and part.incarnation == first.incarnation
        and part.timestamp == first.timestamp
        and part.dependencies == first.dependencies
    )
    if not same:
        raise CorruptFrame(f"batch {first.number} of {first.origin} was interrupted by a part of batch {part.number}")
