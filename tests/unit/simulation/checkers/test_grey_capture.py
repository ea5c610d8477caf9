"""Planted violations of I5: changes skipped, captured twice, altered on the way, missing at the receiver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.unit.simulation.checkers.grey_ring import Ring
from tests.unit.simulation.checkers.grey_words import EU, FRANKFURT, OREGON, TOKYO, added, origin, titled, visited
from xxhash import xxh3_64

from atoll.causality.cut import Cut
from atoll.replication.messages import BatchPart, Heartbeat
from atoll.replication.rows import decode_rows, encode_rows
from atoll.rpc.codec.replication import encode_stream_message, read_stream_message
from atoll.simulation.observations import Applied, Captured, Carried, Committed, Observation


def captured_with(ring: Ring, **changes: object) -> None:
    """From now on batches are reported with these changes."""

    def change(seen: Observation) -> Sequence[Observation]:
        return [replace(seen, **changes)] if isinstance(seen, Captured) else [seen]  # type: ignore[arg-type]

    ring.tamper = change


def test_change_that_no_batch_carries_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    captured_with(ring, transactions=[], records=[])
    ring.capture(origin("frankfurt"))
    ring.tamper = lambda seen: [seen]
    assert ("capture", "change never captured") in ring.anomalies()


def test_change_that_waits_for_its_batch_is_no_violation() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    assert ring.anomalies(converged=False) == set()


def test_change_captured_twice_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.capture(origin("frankfurt"))
    ring.write(FRANKFURT, "a", added("y"))
    captured_with(ring, transactions=[1, 2])
    ring.capture(origin("frankfurt"))
    assert ring.anomalies(converged=False) == {("capture", "change captured twice")}


def test_change_captured_after_the_next_but_one_is_found() -> None:
    ring = Ring()
    late: list[Observation] = []
    ring.write(FRANKFURT, "a", added("x"))

    def shift(seen: Observation) -> Sequence[Observation]:
        if not isinstance(seen, Captured):
            return [seen]
        empty = replace(seen, batch=replace(seen.batch, records=0, timestamp=0), transactions=[], records=[])
        late.append(seen)
        if seen.batch.number < 2:
            return [empty]
        return [empty, replace(late[0], batch=replace(late[0].batch, number=3))]

    ring.tamper = shift
    ring.capture(origin("frankfurt"))
    ring.capture(origin("frankfurt"))
    assert ring.anomalies(converged=False) == {("capture", "change captured too late")}


def test_skipped_number_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.tamper = lambda seen: (
        [replace(seen, batch=replace(seen.batch, number=2))] if isinstance(seen, Captured) else [seen]
    )
    ring.capture(origin("frankfurt"))
    assert ring.anomalies(converged=False) == {("capture", "batch numbers are not dense")}


def test_batch_of_something_uncommitted_is_found() -> None:
    ring = Ring()
    ring.tamper = lambda seen: [] if isinstance(seen, Committed) else [seen]
    ring.write(FRANKFURT, "a", added("x"))
    ring.capture(origin("frankfurt"))
    assert ("capture", "batch holds what nobody committed") in ring.anomalies(converged=False)


def test_batch_that_leaves_out_a_record_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.write(FRANKFURT, "b", added("y"))
    captured_with(ring, records=[ring.id("a")])
    ring.capture(origin("frankfurt"))
    assert ring.anomalies(converged=False) == {("capture", "batch skips a change")}


def test_batch_with_another_timestamp_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.tamper = lambda seen: (
        [replace(seen, batch=replace(seen.batch, timestamp=1))] if isinstance(seen, Captured) else [seen]
    )
    ring.capture(origin("frankfurt"))
    assert ring.anomalies(converged=False) == {("capture", "batch has another timestamp than its changes")}


def test_completed_batch_without_its_row_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.capture(origin("frankfurt"))
    numbers = Cut({origin("frankfurt"): 1})
    ring.shards[origin("tokyo")].commit_join(numbers, numbers, {})
    ring.observe(
        Applied(
            at=0, shard=origin("tokyo"), begins=numbers, completes=numbers, rows=[], before=Cut.EMPTY, after=numbers
        )
    )
    ring.sample()
    (finding,) = ring.findings(converged=False)
    assert (finding.checker, finding.anomaly) == ("capture", "completed batch lacks a row")
    assert finding.places == ("tokyo/s1", "frankfurt/s1")


def test_completed_batch_needs_rows_neither_of_other_shards_nor_of_other_zones() -> None:
    ring = Ring(count=2)
    for number in range(6):
        ring.write(FRANKFURT, f"k{number}", added("x"))
        ring.write(FRANKFURT, f"p{number}", added("x"), zone=EU)
    ring.settle()
    assert ring.anomalies() == set()


def test_batch_that_nobody_captured_is_found_where_it_is_completed() -> None:
    ring = Ring()
    numbers = Cut({origin("frankfurt"): 1})
    ring.observe(
        Applied(
            at=0, shard=origin("tokyo"), begins=numbers, completes=numbers, rows=[], before=Cut.EMPTY, after=numbers
        )
    )
    ring.sample()
    assert ring.anomalies(converged=False) == {("capture", "batch from nowhere")}


# -- on the way ---------------------------------------------------------------------------------------------------


def carried(ring: Ring, rows: bytes, **changes: object) -> None:
    """Frankfurt's first batch crosses to Tokyo with these rows."""
    seen = ring.message(origin("frankfurt"), 1, TOKYO)
    part = read_stream_message(seen.payload)
    assert isinstance(part, BatchPart)
    part = replace(part, payload=rows, digest=xxh3_64(rows).intdigest(), **changes)  # type: ignore[arg-type]
    ring.observe(replace(seen, payload=encode_stream_message(part).SerializeToString()))


def two_changes() -> Ring:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.write(FRANKFURT, "a", visited())
    ring.write(FRANKFURT, "b", titled("t"))
    ring.write(FRANKFURT, "p", titled("t"), zone=EU)
    ring.capture(origin("frankfurt"))
    return ring


def test_batch_that_crosses_whole_and_again_is_valid() -> None:
    ring = two_changes()
    for _ in range(2):
        carried(ring, ring.payload(origin("frankfurt"), 1, TOKYO))
    ring.observe(ring.message(origin("frankfurt"), 1, OREGON))
    assert ring.anomalies(converged=False) == set()
    assert ring.results()["shipping"].checks == 6


def test_row_dropped_on_the_way_is_found() -> None:
    ring = two_changes()
    rows = list(decode_rows(ring.payload(origin("frankfurt"), 1, TOKYO)))
    carried(ring, encode_rows(rows[1:]))
    (finding,) = ring.findings(converged=False)
    assert (finding.checker, finding.anomaly) == ("shipping", "batch crosses with other rows")
    assert "crossed without city/" in finding.sentence


def test_row_with_the_state_before_the_last_is_found() -> None:
    ring = two_changes()
    rows = list(decode_rows(ring.payload(origin("frankfurt"), 1, TOKYO)))
    first = ring.shards[origin("frankfurt")].log[0].row
    carried(ring, encode_rows([first if row.id == first.id else row for row in rows]))
    assert ring.anomalies(converged=False) == {("shipping", "batch crosses with other rows")}


def test_row_repeated_on_the_way_is_found() -> None:
    ring = two_changes()
    rows = list(decode_rows(ring.payload(origin("frankfurt"), 1, TOKYO)))
    carried(ring, encode_rows([*rows, rows[0]]))
    assert ring.anomalies(converged=False) == {("shipping", "batch crosses with other rows")}


def test_batch_with_other_dependencies_is_found() -> None:
    ring = two_changes()
    carried(ring, ring.payload(origin("frankfurt"), 1, TOKYO), dependencies=Cut({origin("oregon"): 7}))
    assert ring.anomalies(converged=False) == {("shipping", "batch crosses with another header")}


def test_batch_that_crosses_before_its_capture_is_found() -> None:
    ring = two_changes()
    carried(ring, ring.payload(origin("frankfurt"), 1, TOKYO), number=2)
    assert ring.anomalies(converged=False) == {("shipping", "batch crosses before its capture")}


def test_batch_in_parts_after_a_broken_attempt_is_valid() -> None:
    ring = two_changes()
    whole = ring.message(origin("frankfurt"), 1, TOKYO)
    part = read_stream_message(whole.payload)
    assert isinstance(part, BatchPart)
    head = replace(part, payload=part.payload[:50], final=False, digest=0, records=0)
    tail = replace(part, payload=part.payload[50:])
    for piece in (head, head, tail):
        ring.observe(replace(whole, payload=encode_stream_message(piece).SerializeToString()))
    assert ring.anomalies(converged=False) == set()
    assert ring.results()["shipping"].checks == 2


def test_other_messages_are_of_no_interest() -> None:
    ring = two_changes()
    beat = encode_stream_message(Heartbeat(timestamp=5, captured={}))  # type: ignore[arg-type]
    for payload in (beat.SerializeToString(), b"", b"\xff\xff\xff", b"\x0a\x05hello"):
        ring.observe(Carried(at=0, source="frankfurt/n1", target="tokyo/n1", method="Pull", payload=payload))
    assert ring.anomalies(converged=False) == set()
