"""Planted violations on registers, pattern by pattern, and what comes close without being one."""

from __future__ import annotations

from tests.unit.simulation.checkers.black.telling import TITLE, Telling

from atoll.simulation.verdict import Verdict

A, B, C = "frankfurt/c1", "tokyo/c1", "virginia/c1"


def test_value_that_everybody_ends_with_is_valid() -> None:
    told = Telling()
    told.set(A, "v1")
    told.title(B, None)
    told.title(B, "v1")
    told.set(B, "v2")
    told.last(TITLE, "v2")
    assert not told.anomalies()
    assert told.judge()["registers"].verdict is Verdict.VALID


def test_thin_air_read_is_found() -> None:
    told = Telling()
    told.title(A, "ghost")
    assert told.anomalies() == {"registers: value from nowhere"}


def test_value_of_a_refused_write_is_found() -> None:
    told = Telling()
    told.set(A, "v1", error="overloaded")
    told.title(B, "v1")
    assert told.anomalies() == {"registers: refused write took effect"}


def test_write_co_init_read_is_found() -> None:
    told = Telling()
    told.set(A, "v1")
    told.title(A, None, region="tokyo")
    assert "registers: written register is empty" in told.anomalies()


def test_empty_register_is_legal_for_a_stranger() -> None:
    told = Telling()
    told.set(A, "v1")
    told.title(B, None)
    assert not told.anomalies()


def test_empty_register_at_the_end_is_found() -> None:
    told = Telling()
    told.set(A, "v1")
    told.last(TITLE, None)
    assert "registers: written register is empty" in told.anomalies()


def test_register_that_a_deletion_may_have_emptied_is_legal() -> None:
    told = Telling()
    told.set(A, "v1", at=0.0, until=1.0)
    told.delete(B, at=0.5, until=0.9)
    told.last(TITLE, None)
    assert not told.anomalies()


def test_deletion_that_ended_before_the_write_began_excuses_nothing() -> None:
    told = Telling()
    told.delete(B)
    told.set(A, "v1")
    told.last(TITLE, None)
    assert "registers: written register is empty" in told.anomalies()


def test_write_co_read_through_a_session_is_found() -> None:
    told = Telling()
    told.set(A, "v1")
    told.set(A, "v2")
    told.title(A, "v1", region="tokyo")
    assert told.anomalies() == {"registers: overwritten value was read", "sessions: read your writes"}


def test_causally_older_write_that_wins_is_found_whatever_the_clocks_say() -> None:
    told = Telling()
    told.set(A, "v1")
    told.title(B, "v1")
    told.set(B, "v2")
    told.last(TITLE, "v1")
    assert told.anomalies() == {"registers: older write won"}


def test_concurrent_write_may_win_either_way() -> None:
    for winner in ("v1", "v2"):
        told = Telling()
        told.set(A, "v1")
        told.set(B, "v2")
        told.last(TITLE, winner)
        result = told.judge()
        assert not told.anomalies()
        assert result["registers"].legal["values that lost to a concurrent write"] == 1


def test_write_of_unknown_outcome_may_win_and_may_be_lost() -> None:
    for winner in ("v1", "v2"):
        told = Telling()
        told.set(A, "v1")
        told.set(A, "v2", unknown=True)
        told.last(TITLE, winner)
        assert not told.anomalies()


def test_deleted_value_that_comes_back_is_found() -> None:
    told = Telling()
    told.set(A, "v1")
    told.delete(A)
    told.last(TITLE, "v1")
    assert "registers: older write won" in told.anomalies()


def test_reset_value_that_comes_back_is_found() -> None:
    told = Telling()
    told.set(A, "v1")
    told.reset(A, TITLE)
    told.title(A, "v1")
    assert "registers: overwritten value was read" in told.anomalies()


def test_update_concurrent_with_a_deletion_survives() -> None:
    told = Telling()
    told.set(A, "v1")
    told.delete(A, at=1.0, until=2.0)
    told.set(B, "v2", at=1.5, until=1.8)
    told.last(TITLE, "v2")
    assert not told.anomalies()


def test_readers_that_disagree_on_the_order_of_two_writes_are_found() -> None:
    told = Telling()
    told.set(A, "v1")
    told.set(B, "v2")
    told.title(A, "v2")
    told.title(B, "v1")
    assert told.anomalies() == {"registers: readers disagree on the order of writes"}


def test_readers_that_have_seen_one_write_each_do_not_disagree() -> None:
    told = Telling()
    told.set(A, "v1")
    told.set(B, "v2")
    told.title("frankfurt/c2", "v1")
    told.title("tokyo/c2", "v2")
    told.title("frankfurt/c2", "v2")
    assert not told.anomalies()


def test_winner_that_flips_back_is_found() -> None:
    told = Telling()
    told.set(A, "v1")
    told.set(B, "v2")
    told.title(C, "v1")
    told.title(C, "v2")
    told.title(C, "v1")
    assert told.anomalies() == {"registers: readers disagree on the order of writes"}


def across(*reads: tuple[str, str, str]) -> Telling:
    """``d`` before ``a`` and ``b`` before ``c``, each by one session; ``a`` and ``b`` on one register, the rest on
    another."""
    told = Telling()
    told.set(A, "d", key="y")
    told.set(A, "a", key="x")
    told.set(B, "b", key="x")
    told.set(B, "c", key="y")
    for client, value, key in reads:
        told.title(client, value, key=key)
    return told


def test_circle_over_two_registers_is_found() -> None:
    told = across((A, "b", "x"), (B, "d", "y"))
    assert told.anomalies() == {"registers: readers disagree on the order of writes"}


def test_two_preferences_that_go_round_no_circle_are_legal() -> None:
    assert not across((A, "b", "x"), (B, "c", "y")).anomalies()
    assert not across((A, "a", "x"), (B, "d", "y")).anomalies()


def test_order_that_a_deletion_may_explain_is_not_a_disagreement() -> None:
    told = Telling()
    told.set(A, "v1", at=0.0, until=0.5)
    told.set(B, "v2", at=0.1, until=0.5)
    told.delete(C, at=0.2, until=0.5)
    told.title(A, "v2", at=1.0)
    told.title(B, "v1", at=1.1)
    assert "registers: readers disagree on the order of writes" not in told.anomalies()


def test_value_that_two_operations_wrote_is_not_judged() -> None:
    told = Telling()
    told.set(A, "same")
    told.set(A, "v2")
    told.set(B, "same")
    told.title(A, "same")
    assert not told.anomalies()


def test_overwritten_value_is_legal_for_a_stranger_and_counted() -> None:
    told = Telling()
    told.set(A, "v1")
    told.set(A, "v2")
    told.title(B, "v1")
    result = told.judge()["registers"]
    assert result.verdict is Verdict.VALID
    assert result.legal["stale reads"] == 1


def test_operations_that_knew_of_each_other_in_a_circle_are_found() -> None:
    told = Telling()
    write = told.set(A, "v1", at=0.0, until=2.0)
    read = told.title(B, "v1", at=0.5, until=1.0)
    told.entries[write.index] = told.changed(write, heard=read.index)
    finding = told.judge()["registers"].findings[0]
    assert finding.anomaly == "causal circle"
    assert finding.entries == [write.index, read.index]
