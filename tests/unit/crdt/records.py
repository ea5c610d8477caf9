"""Short ways to write records in tests."""

from __future__ import annotations

from typing import Any

from atoll.causality.dot import Dot
from atoll.crdt.operations import FieldOperation, Update, Write
from atoll.crdt.record import Record
from atoll.crdt.schema import Rule, Schema
from atoll.ids import Actor
from atoll.instant import timestamp

EU, US = Actor("eu/s1/1"), Actor("us/s1/1")
SCHEMA = Schema({"name": Rule.LWW, "visits": Rule.COUNTER, "tags": Rule.ADD_WINS_SET})
STRICT = Schema(SCHEMA.fields, strict=True)
EMPTY = Record.empty()


def wrote(
    record: Record, actor: Actor, counter: int, write: Write, at_ms: int = 1, schema: Schema = SCHEMA
) -> Record:
    dot, stamp = Dot(actor, counter), timestamp(at_ms)
    after = record.join(record.apply(write, dot, stamp, schema))
    assert record.apply_and_join(write, dot, stamp, schema) == after
    return after


def updated(record: Record, actor: Actor, counter: int, *operations: FieldOperation) -> Record:
    return wrote(record, actor, counter, Update(operations))


def value_after(*operations: FieldOperation) -> dict[str, Any] | None:
    return updated(EMPTY, EU, 1, *operations).value()
