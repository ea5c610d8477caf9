"""Planted violations of I3: in the bytes, between regions, and against the specification of the merge rules."""

from __future__ import annotations

import pytest
from tests.unit.simulation.checkers.grey_ring import Ring
from tests.unit.simulation.checkers.grey_words import (
    EU,
    FRANKFURT,
    SCHEMA,
    TOKYO,
    added,
    cleared,
    origin,
    removed,
    titled,
    visited,
)

from atoll.causality.dot import Dot
from atoll.crdt import add_wins_set, counter, lww
from atoll.crdt.codec import decode_record, encode_record
from atoll.crdt.operations import Delete, Write
from atoll.crdt.record import Record
from atoll.crdt.registry import LWW
from atoll.ids import actor_of
from atoll.instant import Timestamp
from atoll.simulation.storage.joining import Held


def held_after(record: Record) -> Held:
    context, state = encode_record(record)
    return Held(context, state, record.document())


def concurrent(left: list[Write], right: list[Write], *before: Write) -> Ring:
    """Frankfurt and Tokyo write one record without having seen each other, on top of ``before``."""
    ring = Ring()
    if before:
        ring.write(FRANKFURT, "a", *before)
        ring.settle()
    for write in left:
        ring.write(FRANKFURT, "a", write)
    for write in right:
        ring.write(TOKYO, "a", write)
    return ring


CASES: dict[str, tuple[list[Write], list[Write], list[Write]]] = {
    "additions": ([added("x")], [added("y")], []),
    "addition against removal": ([added("x")], [removed("x")], [added("x")]),
    "removals": ([removed("x")], [removed("y")], [added("x"), added("y")]),
    "clear against addition": ([cleared("tags")], [added("z")], [added("x")]),
    "increments": ([visited(2)], [visited(3)], [visited()]),
    "reset against increment": ([cleared("visits")], [visited(5)], [visited(7)]),
    "resets": ([cleared("visits"), visited()], [cleared("visits")], [visited(7)]),
    "assignments": ([titled("x")], [titled("y")], []),
    "clear against assignment": ([cleared("title")], [titled("y")], [titled("x")]),
    "deletion against update": ([Delete()], [visited(4)], [added("x"), visited(1), titled("t")]),
    "deletions": ([Delete()], [Delete()], [added("x")]),
    "deletion and new life": ([Delete(), added("n")], [titled("t")], [added("x")]),
}


@pytest.mark.parametrize("case", CASES)
def test_concurrent_writes_merged_by_the_engine_are_valid(case: str) -> None:
    left, right, before = CASES[case]
    ring = concurrent(left, right, *before)
    ring.settle()
    assert ring.anomalies() == set()
    assert ring.results()["merging"].checks > 0


def test_equal_contexts_with_other_bytes_are_found_without_waiting_for_the_end() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.settle()
    shard = ring.shards[origin("tokyo")]
    held = shard.records[ring.id("a")]
    record = decode_record(held.context, held.state)
    other = Record({}, record.presence, record.context)
    shard.records[ring.id("a")] = held_after(other)
    ring.box._ledger._unsettled.setdefault(origin("tokyo"), {})[ring.id("a")] = None
    ring.sample()
    anomalies = ring.anomalies(converged=False)
    assert ("convergence", "equal contexts with different bytes") in anomalies
    assert ("convergence", "record changed without a transaction") in anomalies
    assert ("merging", "value that no writes make") in anomalies


def test_regions_that_differ_at_the_end_are_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.capture(origin("frankfurt"))
    ring.carry(origin("frankfurt"), TOKYO)
    ring.join(origin("tokyo"))
    assert ring.anomalies(converged=False) == set()
    (finding,) = [f for f in ring.findings() if f.checker == "convergence"]
    assert finding.anomaly == "regions differ at the end"
    assert finding.sentence == "city/a is missing in oregon after the ring had converged."


def test_region_that_may_not_hold_a_record_is_not_expected_to() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "p", added("someone"), zone=EU)
    ring.settle()
    assert ring.id("p", EU) not in ring.shards[origin("tokyo")].records
    assert ring.anomalies() == set()


def test_readable_copy_that_differs_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.settle()
    shard = ring.shards[origin("tokyo")]
    shard.records[ring.id("a")] = shard.records[ring.id("a")]._replace(document=b"{}")
    assert ring.anomalies() == {("convergence", "regions differ at the end")}


def test_bytes_that_are_not_canonical_are_found() -> None:
    ring = Ring()
    record = Record.empty().apply_and_join(added("x"), Dot(actor_of(origin("frankfurt"), 1), 1), Timestamp(1), SCHEMA)
    context, state = encode_record(record)
    assert state[-1] == 1, "the last integer is the counter, which fits one byte"
    longer = state[:-1] + b"\xcc\x01"
    assert decode_record(context, longer) == record
    shard = ring.shards[origin("frankfurt")]
    shard.records[ring.id("a")] = Held(context, longer, record.document())
    assert ("convergence", "bytes that are not canonical") in ring.anomalies(converged=False)


def test_context_that_does_not_decode_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.sample()
    shard = ring.shards[origin("frankfurt")]
    shard.records[ring.id("a")] = shard.records[ring.id("a")]._replace(context=b"\x01garbage")
    assert ("convergence", "context that does not decode") in ring.anomalies(converged=False)


# -- broken merge rules: every replica breaks alike, so that only the specification notices -----------------------


def test_set_that_lets_removals_win_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = concurrent([added("x")], [removed("x")], added("x"))
    monkeypatch.setattr(add_wins_set.AddWinsSet, "join", lambda *_: {})
    ring.settle()
    assert ("merging", "value that no writes make") in ring.anomalies()


def test_counter_that_keeps_one_side_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = concurrent([visited(2)], [visited(3)])
    monkeypatch.setattr(counter.Counter, "join", lambda _self, mine, theirs, *_: max(mine, theirs))
    ring.settle()
    assert ("merging", "value that no writes make") in ring.anomalies()


def test_counter_whose_reset_takes_what_it_has_not_seen_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Ring()
    ring.write(TOKYO, "a", visited(7))
    ring.settle()
    ring.write(FRANKFURT, "a", cleared("visits"))
    ring.write(TOKYO, "a", visited(5))
    later = counter._later

    def greedy(left: counter.Row, right: counter.Row) -> counter.Row:
        joined = later(left, right)
        return joined._replace(seen=joined.dot, base=joined.total) if joined.seen else joined

    monkeypatch.setattr(counter, "_later", greedy)
    ring.settle()
    assert ("merging", "value that no writes make") in ring.anomalies()


def test_register_that_drops_the_loser_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = concurrent([titled("x")], [titled("y")])
    join = lww.LastWriterWins.join
    monkeypatch.setattr(lww.LastWriterWins, "join", lambda self, *sides: _strongest(join(self, *sides)))
    ring.settle()
    assert ("merging", "concurrent assignments lost") in ring.anomalies()


def test_register_that_prefers_the_weaker_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = concurrent([titled("x")], [titled("y")])
    monkeypatch.setattr(
        lww.LastWriterWins, "value", lambda _self, payload: min(payload, key=lambda entry: entry[2])[3]
    )
    ring.settle()
    assert ("merging", "value that no writes make") in ring.anomalies()


def test_presence_that_forgets_a_concurrent_update_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = concurrent([Delete()], [removed("none")], added("x"))
    monkeypatch.setattr("atoll.crdt.record.join_entries", lambda *_: ())
    ring.settle()
    assert ("merging", "value that no writes make") in ring.anomalies()


def _strongest(payload: tuple[tuple[object, ...], ...]) -> tuple[tuple[object, ...], ...]:
    return tuple(sorted(payload, key=lambda entry: LWW.candidates((entry,))[0][1])[-1:])
