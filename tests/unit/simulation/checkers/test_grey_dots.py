"""Planted violations of I2, and what only looks like one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.unit.simulation.checkers.grey_ring import Ring
from tests.unit.simulation.checkers.grey_words import FRANKFURT, TOKYO, added, origin, titled, visited

from atoll.crdt.codec import decode_record, encode_record
from atoll.simulation.observations import Committed, Minted, Observation


def test_two_records_with_one_dot_are_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    used, last = ring.blocks[origin("frankfurt")]
    ring.blocks[origin("frankfurt")] = (used - 1, last)
    ring.write(FRANKFURT, "b", added("y"))
    assert ("dots", "dot minted twice") in ring.anomalies(converged=False)


def test_dot_beyond_what_was_leased_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.blocks[origin("frankfurt")] = (16, 20)
    ring.write(FRANKFURT, "a", added("y"))
    assert ring.anomalies(converged=False) == {("dots", "dot without a lease")}


def test_blocks_that_overlap_are_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.observe(Minted(at=0, shard=origin("frankfurt"), incarnation=1, first=16, last=31))
    assert ring.anomalies(converged=False) == {("dots", "counters leased twice")}


def test_equal_blocks_of_two_incarnations_or_shards_are_no_violation() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.observe(Minted(at=0, shard=origin("frankfurt"), incarnation=2, first=1, last=16))
    ring.observe(Minted(at=0, shard=origin("tokyo"), incarnation=1, first=1, last=16))
    assert ring.anomalies(converged=False) == set()


def test_counters_that_are_skipped_are_no_violation() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.blocks[origin("frankfurt")] = (9, 16)
    ring.write(FRANKFURT, "a", added("y"))
    ring.settle()
    assert ring.anomalies() == set()


def test_several_operations_in_one_row_are_no_violation() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"), visited(2), titled("t"), titled("u"))
    ring.settle()
    assert ring.anomalies() == set()


def test_write_that_covers_a_foreign_dot_is_found() -> None:
    ring = Ring()
    ring.write(TOKYO, "a", added("x"))
    stolen = ring.shards[origin("tokyo")].records[ring.id("a")]

    def mix(seen: Observation) -> Sequence[Observation]:
        if isinstance(seen, Committed):
            (row,) = seen.rows
            mixed = decode_record(row.context, row.state).join(decode_record(stolen.context, stolen.state))
            context, state = encode_record(mixed)
            return [replace(seen, rows=[replace(row, context=context, state=state)])]
        return [seen]

    ring.tamper = mix
    ring.write(FRANKFURT, "a", added("y"))
    assert ("dots", "write covers foreign dots") in ring.anomalies(converged=False)


def test_row_with_another_counter_than_its_context_is_found() -> None:
    ring = Ring()

    def lie(seen: Observation) -> Sequence[Observation]:
        if isinstance(seen, Committed):
            return [replace(seen, rows=[replace(row, counter=row.counter + 1) for row in seen.rows])]
        return [seen]

    ring.tamper = lie
    ring.write(FRANKFURT, "a", added("x"))
    assert ring.anomalies(converged=False) == {("dots", "write covers other dots than its own")}
