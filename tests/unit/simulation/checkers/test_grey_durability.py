"""Planted violations of I1, and what only looks like one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.unit.simulation.checkers.grey_ring import Ring
from tests.unit.simulation.checkers.grey_words import FRANKFURT, TOKYO, added, origin, titled, visited

from atoll.simulation.history import Status
from atoll.simulation.observations import Committed, Observation, Rewound

LOST = {("durability", "write lost"), ("convergence", "record changed without a transaction")}


def without_commits(seen: Observation) -> Sequence[Observation]:
    return [] if isinstance(seen, Committed) else [seen]


def test_acknowledgement_without_any_transaction_is_found() -> None:
    ring = Ring()
    ring.tamper = without_commits
    ring.write(FRANKFURT, "a", added("x"))
    found = [f for f in ring.findings(converged=False) if f.checker == "durability"]
    assert [finding.anomaly for finding in found] == ["acknowledged write without a transaction"]
    assert "add of 'x' in city/a.tags by frankfurt/0 in frankfurt was acknowledged" in found[0].sentence
    assert found[0].entries == (0,)


def test_value_that_is_in_no_transaction_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", titled("one"))
    planned = replace(ring.history[0].planned, argument="two")
    ring.history[0] = replace(ring.history[0], planned=planned)
    assert ring.anomalies(converged=False) == {("durability", "acknowledged write without a transaction")}


def test_transaction_after_the_answer_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", visited())
    ring.history[0] = replace(ring.history[0], began=-2.0, ended=-1.0)
    assert ring.anomalies(converged=False) == {("durability", "acknowledged write without a transaction")}


def test_write_of_unknown_outcome_needs_no_transaction() -> None:
    ring = Ring()
    ring.tamper = without_commits
    ring.write(FRANKFURT, "a", added("x"))
    ring.history[0] = replace(ring.history[0], status=Status.UNKNOWN)
    assert "durability" not in {checker for checker, _ in ring.anomalies(converged=False)}


def test_value_replaced_within_its_own_transaction_is_no_violation() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", titled("one"), titled("two"))
    ring.settle()
    assert ring.anomalies() == set()


def test_record_that_forgets_a_write_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    shard = ring.shards[origin("frankfurt")]
    old = shard.records[ring.id("a")]
    ring.write(FRANKFURT, "a", added("y"))
    ring.sample()
    shard.records[ring.id("a")] = old
    assert ring.anomalies(converged=False) == LOST


def test_record_that_vanishes_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.sample()
    del ring.shards[origin("frankfurt")].records[ring.id("a")]
    assert ring.anomalies(converged=False) == LOST


def test_missing_row_of_the_log_is_found_at_the_next_sample() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.write(FRANKFURT, "b", added("y"))
    del ring.shards[origin("frankfurt")].log[0]
    ring.sample()
    assert ring.anomalies(converged=False) == {("durability", "write without its change-log row")}


def test_row_of_the_log_that_vanishes_later_is_found_at_the_end() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.sample()
    del ring.shards[origin("frankfurt")].log[0]
    assert ring.anomalies(converged=False) == {("durability", "write without its change-log row")}


def test_log_rows_of_collected_batches_are_not_missed() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.settle()
    ring.collect(origin("frankfurt"))
    assert not ring.shards[origin("frankfurt")].log
    ring.write(FRANKFURT, "a", added("y"))
    ring.settle()
    assert ring.anomalies() == set()


def test_accepted_server_that_lacks_transactions_is_found() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.sample()
    old = ring.shards[origin("frankfurt")].copy()
    ring.write(FRANKFURT, "a", added("y"))
    ring.shards[origin("frankfurt")] = old
    ring.observe(Rewound(at=0, shard=origin("frankfurt"), transactions=[2]))
    assert ring.anomalies(converged=False) == {
        ("durability", "history accepted that lacks transactions"),
        ("durability", "write lost in a failover"),
    }


def test_replica_that_stands_in_and_is_refused_is_no_violation() -> None:
    ring = Ring()
    ring.write(FRANKFURT, "a", added("x"))
    ring.sample()
    original = ring.shards[origin("frankfurt")]
    lagging = original.copy()
    ring.write(FRANKFURT, "a", added("y"))
    ring.shards[origin("frankfurt")] = lagging
    ring.sample()
    ring.write(TOKYO, "a", added("z"))
    ring.sample()
    ring.shards[origin("frankfurt")] = original
    ring.settle()
    assert ring.anomalies() == set()
