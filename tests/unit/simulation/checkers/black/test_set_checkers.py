"""Planted violations on sets, and what comes close to one without being one."""

from __future__ import annotations

from tests.unit.simulation.checkers.black.telling import TAGS, Telling

from atoll.simulation.verdict import Verdict

A, B, C = "frankfurt/c1", "tokyo/c1", "virginia/c1"


# -- additions alone ----------------------------------------------------------------------------------------------


def test_element_that_everybody_reads_is_valid() -> None:
    told = Telling()
    told.add(A, "x")
    told.tags(B, "x")
    told.last(TAGS, ("x",))
    assert not told.anomalies()
    assert told.judge()["sets"].verdict is Verdict.VALID


def test_acknowledged_element_missing_at_the_end_is_lost() -> None:
    told = Telling()
    told.add(A, "x")
    told.last(TAGS, ("x",), None, ("x",))
    assert "sets: lost element" in told.anomalies()


def test_element_missing_at_the_end_of_a_ring_that_has_not_converged_is_not_lost() -> None:
    told = Telling()
    told.add(A, "x")
    told.last(TAGS, ("x",), None, ("x",))
    assert not told.anomalies(converged=False)


def test_element_of_unknown_outcome_may_be_missing_and_may_be_there() -> None:
    for value in (("x",), None):
        told = Telling()
        told.add(A, "x", unknown=True)
        told.last(TAGS, value)
        assert not told.anomalies()


def test_element_of_unknown_outcome_that_a_session_has_seen_may_not_vanish_for_it() -> None:
    told = Telling()
    told.add(A, "x", unknown=True)
    told.tags(B, "x")
    told.tags(B)
    assert told.anomalies() == {"sets: lost element", "sessions: monotonic reads"}


def test_element_of_unknown_outcome_that_another_session_has_seen_may_be_missing_elsewhere() -> None:
    told = Telling()
    told.add(A, "x", unknown=True)
    told.tags(B, "x")
    told.tags(C)
    assert not told.anomalies()


def test_acknowledged_element_that_a_stranger_does_not_see_yet_is_stale_and_legal() -> None:
    told = Telling()
    told.add(A, "x")
    told.tags(B)
    told.tags(B, "x")
    result = told.judge()["sets"]
    assert result.verdict is Verdict.VALID
    assert result.legal["stale reads"] == 1
    assert result.legal["visible frankfurt>tokyo max ms"] == 10


def test_wait_for_visibility_lasts_until_the_last_read_that_lacks_it() -> None:
    told = Telling()
    told.add(A, "x", at=1.0, until=1.1)
    told.tags(B, "x", at=1.2)
    told.tags(C, at=2.0)
    told.tags(C, at=3.1)
    told.tags(C, "x", at=4.0)
    legal = told.judge()["sets"].legal
    assert legal["visible frankfurt>virginia max ms"] == 2000
    assert legal["visible frankfurt>tokyo max ms"] == 0
    assert legal["stale reads"] == 2


def test_reads_that_see_different_halves_are_a_long_fork_and_legal() -> None:
    told = Telling()
    told.add(A, "x")
    told.add(B, "y")
    told.tags("frankfurt/c2", "x")
    told.tags("tokyo/c2", "y")
    result = told.judge()["sets"]
    assert result.verdict is Verdict.VALID
    assert result.legal["long forks"] == 1


def test_element_that_nobody_added_comes_from_nowhere() -> None:
    told = Telling()
    told.tags(A, "ghost")
    assert told.anomalies() == {"sets: value from nowhere"}


def test_element_of_a_refused_addition_took_effect() -> None:
    told = Telling()
    told.add(A, "x", error="unavailable", at=0.0, until=1.0, region="tokyo")
    told.tags(B, "x")
    assert "sets: refused write took effect" in told.anomalies()


def test_element_refused_once_and_added_later_is_no_refused_write() -> None:
    told = Telling()
    told.add(A, "x", error="overloaded")
    told.add(A, "x")
    told.tags(B, "x")
    assert not told.anomalies()


def test_element_read_before_its_addition_began_is_from_the_future() -> None:
    told = Telling()
    told.tags(B, "x", at=1.0, until=1.2)
    told.add(A, "x", at=2.0)
    assert told.anomalies() == {"sets: value from the future"}


def test_element_read_while_it_is_being_added_is_valid_even_if_the_read_began_first() -> None:
    told = Telling()
    told.tags(B, "x", at=1.0, until=2.0)
    told.add(A, "x", at=1.5, until=3.0)
    assert not told.anomalies()


def test_element_listed_twice_is_found_once() -> None:
    told = Telling()
    told.add(A, "x")
    told.tags(B, "x", "x")
    findings = told.findings()
    assert [finding.anomaly for finding in findings] == ["element listed twice"]


def test_integer_and_text_of_the_same_look_are_two_elements() -> None:
    told = Telling()
    told.add(A, 1)
    told.tags(B, "1")
    assert told.anomalies() == {"sets: value from nowhere"}


def test_standing_loss_is_told_once_a_session() -> None:
    told = Telling()
    told.add(A, "x")
    for _ in range(5):
        told.tags(A)
    assert len([finding for finding in told.findings() if finding.checker == "sets"]) == 1


# -- with removals ------------------------------------------------------------------------------------------------


def test_removed_element_that_is_back_at_the_end_is_resurrected() -> None:
    told = Telling()
    told.add(A, "x")
    told.remove(A, "x")
    told.last(TAGS, ("x",))
    assert "add and remove: resurrected element" in told.anomalies()


def test_element_removed_by_a_session_that_had_read_it_may_not_come_back() -> None:
    told = Telling()
    told.add(A, "x")
    told.tags(B, "x")
    told.remove(B, "x")
    told.last(TAGS, ("x",))
    assert "add and remove: resurrected element" in told.anomalies()


def test_removal_that_had_not_seen_the_addition_leaves_the_element_either_way() -> None:
    for value in (("x",), None):
        told = Telling()
        told.add(A, "x")
        told.remove(B, "x")
        told.last(TAGS, value)
        assert not told.anomalies()


def test_removal_that_ended_before_the_addition_began_cannot_have_taken_it() -> None:
    told = Telling()
    told.add(B, "x", key="other")
    told.remove(B, "x")
    told.add(A, "x")
    told.last(TAGS, None)
    assert "add and remove: lost element" in told.anomalies()


def test_element_added_again_after_its_removal_is_there() -> None:
    told = Telling()
    told.add(A, "x")
    told.remove(A, "x")
    told.add(A, "x")
    told.last(TAGS, ("x",))
    assert not told.anomalies()


def test_element_added_again_concurrently_with_its_removal_may_be_there_though_removed() -> None:
    told = Telling()
    told.add(A, "x")
    told.remove(A, "x", at=1.0, until=1.5)
    told.add(B, "x", at=1.2, until=1.4)
    told.last(TAGS, ("x",))
    assert not told.anomalies()


def test_concurrent_addition_wins_over_a_removal_that_cannot_have_seen_it() -> None:
    told = Telling()
    told.add(A, "x")
    told.remove(A, "x", at=1.0, until=1.1)
    told.add(B, "x", at=1.2, until=1.4)
    told.last(TAGS, None)
    assert "add and remove: lost element" in told.anomalies()


def test_removal_of_unknown_outcome_may_strike_at_any_later_time() -> None:
    for value in (("x",), None):
        told = Telling()
        told.remove(B, "x", unknown=True)
        told.add(A, "x")
        told.last(TAGS, value)
        assert not told.anomalies()


def test_removal_of_unknown_outcome_proves_nothing_removed() -> None:
    told = Telling()
    told.add(A, "x")
    told.remove(A, "x", unknown=True)
    told.last(TAGS, ("x",))
    assert not told.anomalies()


def test_refused_removal_removes_nothing() -> None:
    told = Telling()
    told.add(A, "x")
    told.remove(A, "x", error="overloaded")
    told.last(TAGS, None)
    assert "add and remove: lost element" in told.anomalies()


def test_addition_of_unknown_outcome_may_come_after_the_removal() -> None:
    told = Telling()
    told.add("frankfurt/c2", "x", unknown=True)
    told.add(A, "x")
    told.remove(A, "x")
    told.last(TAGS, ("x",))
    assert not told.anomalies()


def test_session_sees_the_element_that_it_removed() -> None:
    told = Telling()
    told.add(A, "x")
    told.remove(A, "x")
    told.tags(A, "x", region="tokyo")
    assert told.anomalies() == {"add and remove: resurrected element", "sessions: read your writes"}


def test_stranger_may_still_see_an_element_that_was_removed() -> None:
    told = Telling()
    told.add(A, "x")
    told.remove(A, "x")
    told.tags(B, "x")
    assert not told.anomalies()


def test_deleted_record_keeps_no_element_that_was_seen() -> None:
    told = Telling()
    told.add(A, "x")
    told.delete(A)
    told.last(TAGS, ("x",))
    assert "add and remove: resurrected element" in told.anomalies()


def test_concurrent_addition_survives_a_deletion_that_cannot_have_seen_it() -> None:
    told = Telling()
    told.add(A, "old")
    told.delete(A, at=1.0, until=1.1)
    told.add(B, "new", at=2.0)
    told.last(TAGS, None)
    assert {f.sentence.split()[0] for f in told.findings() if f.anomaly == "lost element"} == {"'new'"}


def test_removal_of_one_element_leaves_the_others() -> None:
    told = Telling()
    told.add(A, "x")
    told.add(A, "y")
    told.remove(A, "x")
    told.last(TAGS, None)
    assert {f.sentence.split()[0] for f in told.findings() if f.checker == "add and remove"} == {"'y'"}
