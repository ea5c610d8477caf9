"""The merge code in microseconds: what one write costs before Postgres is asked.

Run with ``python benchmarks/merge.py``. Each line is the best of several repeats: the least disturbed one.
"""

from __future__ import annotations

from collections.abc import Callable
from timeit import repeat

from atoll.causality.dot import Dot
from atoll.crdt.codec import decode_record, encode_record, merge_bytes
from atoll.crdt.operations import Add, Increment, Put, Set, Update
from atoll.crdt.record import Record
from atoll.crdt.schema import Rule, Schema
from atoll.ids import Origin, RegionName, ShardName, actor_of
from atoll.instant import timestamp

SCHEMA = Schema({"visits": Rule.COUNTER, "tags": Rule.ADD_WINS_SET})
ACTORS = [actor_of(Origin(RegionName(name), ShardName("s1")), 1) for name in ("frankfurt", "tokyo", "virginia")]
CALLS, REPEATS = 2_000, 7


def main() -> None:
    """Measure and print."""
    record = written_by_all()
    context, state = encode_record(record)
    here = write(record, 0, Update((Set("motto", "here"), Increment("visits", 1))), 10)
    there = write(record, 1, Update((Set("motto", "there"), Add("tags", ("new",)))), 10)
    encoded_here, encoded_there = encode_record(here), encode_record(there)
    increment, put = Update((Increment("visits", 1),)), Put({"motto": "x", "name": "Berlin", "visits": 3})
    measure("decode", lambda: decode_record(context, state))
    measure("apply and join an increment", lambda: write(record, 0, increment, 10))
    measure("apply and join a put of three fields", lambda: write(record, 0, put, 10))
    measure("encode", lambda: encode_record(record))
    measure("document", record.document)
    measure("join, one side newer", lambda: record.join(here))
    measure("join, both sides changed", lambda: here.join(there))
    measure("merge of bytes, both sides changed", lambda: merge_bytes(encoded_here, encoded_there))


def written_by_all() -> Record:
    """A record of four fields that three actors have written."""
    record = write(Record.empty(), 0, Put({"name": "Berlin", "motto": "arm, aber sexy", "visits": 1}), 1)
    for number in (1, 2):
        record = write(record, number, Update((Increment("visits", 2), Add("tags", (f"tag{number}",)))), 1)
    return record


def write(record: Record, actor: int, operation: Put | Update, counter: int) -> Record:
    """The record after one write."""
    return record.apply_and_join(operation, Dot(ACTORS[actor], counter), timestamp(1_700_000_000_000), SCHEMA)


def measure(name: str, call: Callable[[], object]) -> None:
    """Print the microseconds of one call."""
    print(f"{name:40} {min(repeat(call, number=CALLS, repeat=REPEATS)) / CALLS * 1e6:8.1f} µs")


if __name__ == "__main__":
    main()
