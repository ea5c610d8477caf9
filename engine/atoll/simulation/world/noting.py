"""What storage does, noted in the trace: commits, captures and applications, for the timeline of a run."""

from __future__ import annotations

from atoll.simulation.loop.trace import Trace
from atoll.simulation.observations import Applied, Captured, Committed, Observation


def note(trace: Trace, observation: Observation) -> None:
    """Note what a person wants to see between the messages; the rest is silent."""
    match observation:
        case Committed(shard=shard, rows=rows) if rows:
            trace.note("commit", str(shard), f"{len(rows)} rows")
        case Captured(batch=batch, records=records):
            trace.note("capture", str(batch.origin), f"batch {batch.number} of {len(records)} records")
        case Applied(shard=shard, rows=rows, before=before, after=after) if rows or before != after:
            trace.note("apply", str(shard), f"{len(rows)} rows, up to {before.missing(after).describe()}")
        case _:
            pass
