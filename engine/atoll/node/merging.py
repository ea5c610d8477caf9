"""From operations on one record to the row that holds them all.

Operations of one group on one record are applied one after another, each with its own dot, and written as one row.
One that the merge rules refuse fails alone, as does the one that makes the record too large.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from atoll.causality.dot import Dot
from atoll.crdt.codec import encode_record
from atoll.crdt.record import Record
from atoll.errors import CallerError, ValueTooLarge
from atoll.ids import Actor, RecordId
from atoll.instant import ZERO, Timestamp
from atoll.limits import RECORD_BYTES_MAX
from atoll.node.pending import Pending
from atoll.node.record_cache import Known
from atoll.ports import RowWrite

Tick = Callable[[], Timestamp]


@dataclass(frozen=True, slots=True)
class MergedRow:
    """A row to write, the operations that are in it, and what is known of the record once it is written."""

    row: RowWrite
    pendings: Sequence[Pending]
    after: Known


def merge_row(
    id: RecordId, before: Known, pendings: Sequence[Pending], actor: Actor, counter: int, tick: Tick
) -> MergedRow | None:
    """Apply ``pendings`` on top of ``before`` with the dots ``counter``, ``counter + 1``, ...

    Operations that are refused are finished with their error. ``None`` if none is left. ``tick`` must be above every
    timestamp in the record; what it raises leaves everything as it was.
    """
    record, stamp, accepted = _apply(before.record, pendings, actor, counter, tick)
    if not accepted:
        return None
    context, state = encode_record(record)
    if len(context) + len(state) > RECORD_BYTES_MAX:
        return _merge_what_fits(id, before, accepted, actor, counter, tick)
    row = RowWrite(
        id=id,
        previous_context=before.context,
        context=context,
        state=state,
        document=record.document(),
        counter=record.context.highest(actor),
        timestamp=stamp,
    )
    return MergedRow(row, accepted, Known(record, context))


def _apply(
    record: Record, pendings: Sequence[Pending], actor: Actor, counter: int, tick: Tick
) -> tuple[Record, Timestamp, list[Pending]]:
    """The record after all that is not refused, and the timestamp of the last one applied."""
    accepted: list[Pending] = []
    latest = ZERO
    for pending in pendings:
        stamp = tick()
        try:
            record = record.apply_and_join(pending.write, Dot(actor, counter + len(accepted)), stamp, pending.schema)
        except CallerError as error:
            pending.finish(error)
            continue
        latest = stamp
        accepted.append(pending)
    return record, latest, accepted


def _merge_what_fits(
    id: RecordId, before: Known, pendings: Sequence[Pending], actor: Actor, counter: int, tick: Tick
) -> MergedRow | None:
    """Find the operations that make the record too large, one by one: rare, and fair to the others."""
    record = before.record
    fitting: list[Pending] = []
    for pending in pendings:
        grown = record.apply_and_join(pending.write, Dot(actor, counter + len(fitting)), tick(), pending.schema)
        size_bytes = sum(map(len, encode_record(grown)))
        if size_bytes > RECORD_BYTES_MAX:
            pending.finish(
                ValueTooLarge(
                    f"{id.collection}/{id.key} would have {size_bytes:,} bytes, more than the {RECORD_BYTES_MAX:,} "
                    "of a record: split it"
                )
            )
            continue
        record = grown
        fitting.append(pending)
    return merge_row(id, before, fitting, actor, counter, tick) if fitting else None
