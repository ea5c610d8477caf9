"""Planted violations of sessions, hearsay and agreement, their near misses, and the box as a whole."""

from __future__ import annotations

from tests.unit.simulation.checkers.black.telling import TAGS, TITLE, VISITS, Telling

from atoll.simulation.checkers.black_box import CHECKERS, check_history
from atoll.simulation.plan import Plan
from atoll.simulation.verdict import Verdict

A, B, C = "frankfurt/c1", "tokyo/c1", "virginia/c1"


def broken(told: Telling, checker: str = "sessions") -> list[str]:
    return [finding.anomaly for finding in told.judge()[checker].findings]


# -- session guarantees -------------------------------------------------------------------------------------------


def test_session_that_does_not_find_its_own_write_in_another_region_is_named() -> None:
    told = Telling()
    write = told.add(A, "x")
    read = told.tags(A, region="tokyo")
    finding = told.judge()["sessions"].findings[0]
    assert finding.anomaly == "read your writes"
    assert finding.entries == [write.index, read.index]
    assert finding.places == ["frankfurt", "tokyo"]


def test_session_that_forgets_what_it_has_read_is_named() -> None:
    told = Telling()
    told.add(A, "x")
    told.tags(B, "x")
    told.tags(B, region="virginia")
    assert broken(told) == ["monotonic reads"]


def test_register_that_goes_back_for_a_session_is_named() -> None:
    told = Telling()
    told.set(A, "v1")
    told.set(A, "v2")
    told.title(B, "v2")
    told.title(B, "v1", region="virginia")
    assert broken(told) == ["monotonic reads"]


def test_later_write_of_a_session_seen_without_its_earlier_one_is_named() -> None:
    told = Telling()
    told.add(A, "x", key="first")
    told.add(A, "y", key="second")
    told.tags(B, "y", key="second")
    told.tags(B, key="first")
    assert broken(told) == ["monotonic writes"]


def test_write_seen_without_what_its_session_had_read_is_named() -> None:
    told = Telling()
    told.set(A, "v1", key="question")
    told.title(B, "v1", key="question")
    told.set(B, "v2", key="answer")
    told.title(C, "v2", key="answer")
    told.title(C, None, key="question")
    assert broken(told) == ["writes follow reads"]


def test_causes_and_effects_on_one_record_are_compared_within_one_read() -> None:
    told = Telling()
    told.add(A, "x")
    told.tags(B, "x")
    told.add(B, "y")
    told.tags(C, "y")
    assert broken(told) == ["writes follow reads"]


def test_effect_seen_before_its_cause_by_different_sessions_is_legal() -> None:
    told = Telling()
    told.add(A, "x", key="first")
    told.add(A, "y", key="second")
    told.tags(B, "y", key="second")
    told.tags("tokyo/c2", key="first")
    assert not told.anomalies()


def test_session_begun_anew_after_an_unknown_outcome_owes_nothing_to_the_old_one() -> None:
    told = Telling()
    told.add(A, "x")
    told.add(A, "y", unknown=True)
    told.tags(A, region="tokyo")
    assert not told.anomalies()


def test_refused_read_breaks_no_guarantee() -> None:
    told = Telling()
    told.add(A, "x")
    told.tags(A, region="tokyo", error="session_not_covered")
    told.tags(A, "x")
    assert not told.anomalies()


def test_own_increment_that_a_growing_counter_lacks_is_named_by_the_counters() -> None:
    told = Telling()
    told.increment(A, 5)
    told.visits(A, None, region="tokyo")
    assert told.anomalies() == {"counters: increment missing"}


# -- out of band --------------------------------------------------------------------------------------------------


def test_client_that_was_told_of_a_write_and_does_not_find_it_is_named() -> None:
    told = Telling()
    post = told.add(A, "post", key="posts")
    read = told.tags(B, key="posts", hears=post)
    result = told.judge()
    finding = result["out-of-band causality"].findings[0]
    assert finding.anomaly == "told of a write and did not find it"
    assert finding.entries == [post.index, read.index]
    assert not result["sessions"].findings


def test_comment_without_its_post_is_named() -> None:
    told = Telling()
    post = told.add(A, "post", key="posts")
    told.add(B, "comment", key="comments", hears=post)
    told.tags(C, "comment", key="comments")
    told.tags(C, key="posts")
    assert broken(told, "out-of-band causality") == ["comment without its post"]


def test_comment_without_a_post_that_its_author_was_not_told_of_is_legal() -> None:
    told = Telling()
    told.add(A, "post", key="posts")
    told.add(B, "comment", key="comments")
    told.tags(C, "comment", key="comments")
    told.tags(C, key="posts")
    assert not told.anomalies()


def test_what_was_told_before_the_write_does_not_bind() -> None:
    told = Telling()
    hello = told.tags(A, key="posts")
    told.add(A, "post", key="posts")
    told.tags(B, key="posts", hears=hello)
    assert not told.anomalies()


def test_teller_in_doubt_has_no_token_to_pass_on() -> None:
    told = Telling()
    doubtful = told.add(A, "post", key="posts", unknown=True)
    told.tags(B, key="posts", hears=doubtful)
    assert not told.anomalies()


def test_teller_that_gave_its_session_up_has_no_token_to_pass_on() -> None:
    told = Telling()
    post = told.add(A, "post", key="posts")
    told.add(A, "other", unknown=True)
    told.tags(B, key="posts", hears=post)
    assert not told.anomalies()


# -- the end ------------------------------------------------------------------------------------------------------


def test_regions_that_end_with_different_values_are_named() -> None:
    told = Telling()
    told.set(A, "v1")
    told.set(B, "v2")
    told.last(TITLE, "v1", "v2", "v1")
    assert "agreement: regions differ in the end" in told.anomalies()


def test_region_without_the_record_differs_from_one_with_an_empty_field() -> None:
    told = Telling()
    told.delete(A)
    told.set(A, "v1", error="overloaded")
    reads = told.last(TITLE, None)
    told.entries[reads[1].index] = told.changed(reads[1], exists=True)
    assert told.anomalies() == {"agreement: regions differ in the end"}


def test_region_that_does_not_answer_at_the_end_is_named() -> None:
    told = Telling()
    told.set(A, "v1")
    told.last(TITLE, "v1", error="unavailable")
    assert "agreement: no answer at the end" in told.anomalies()


def test_ring_that_has_not_converged_leaves_agreement_unknown() -> None:
    told = Telling()
    told.set(A, "v1")
    told.last(TITLE, "v1", None, "v1")
    assert told.judge(converged=False)["agreement"].verdict is Verdict.UNKNOWN
    assert not told.anomalies(converged=False)


# -- the box itself -----------------------------------------------------------------------------------------------


def test_checkers_without_anything_in_the_plan_are_left_out() -> None:
    told = Telling()
    told.set(A, "v1")
    told.last(TITLE, "v1")
    assert list(told.judge()) == ["registers", "agreement", "availability", "typed errors", "deadlines"]
    told = Telling()
    told.increment(A, 1)
    told.visits(A, 1)
    told.last(VISITS, 1)
    assert "registers" not in told.judge()
    assert not told.judge()["counters"].findings


def test_sets_with_and_without_removals_have_a_checker_each() -> None:
    told = Telling()
    told.add(A, "x")
    told.tags(A, "x")
    told.remove(A, "x", error="overloaded")
    assert "sets" not in told.judge()
    assert told.judge()["add and remove"].verdict is Verdict.VALID
    told.add(A, "y", key="other")
    told.tags(A, "y", key="other")
    assert told.judge()["sets"].checks == 1


def test_plan_whose_history_is_empty_proves_nothing() -> None:
    told = Telling()
    told.add(A, "x")
    told.remove(A, "x")
    told.tags(A)
    plan = told.plan()
    results = check_history([], told.topology, plan, converged=False)
    assert {result.checker for result in results} == set(CHECKERS) - {
        "sets", "counters", "registers", "out-of-band causality",
    }  # fmt: skip
    assert {result.verdict for result in results} == {Verdict.UNKNOWN}


def test_plan_without_operations_has_nothing_to_check() -> None:
    plan = Plan(seconds=1.0, settle_seconds=1.0, operations=(), faults=())
    assert not check_history([], Telling().topology, plan, converged=True)


def test_checker_that_fails_itself_is_unknown_and_says_why() -> None:
    told = Telling()
    told.add(A, "x")
    told.tags(A, "x")
    misplaced = [told.changed(entry, index=entry.index + 7) for entry in told.entries]
    results = check_history(misplaced, told.topology, told.plan(), converged=False)
    failed = [result for result in results if "the checker failed" in result.note]
    assert failed
    assert all(result.verdict is Verdict.UNKNOWN for result in failed)


def test_findings_beyond_the_first_few_are_counted() -> None:
    told = Telling()
    for number in range(25):
        told.tags(A, f"ghost {number}")
    findings = told.judge()["sets"].findings
    assert len(findings) == 10
    assert findings[0].sentence.endswith("(15 more of this kind are not listed)")
    assert findings[0].at <= findings[-1].at


def test_last_reads_of_a_field_of_sets_name_their_region() -> None:
    told = Telling()
    told.add(A, "x")
    told.last(TAGS, ("x",), None, ("x",))
    assert told.judge()["sets"].findings[0].places == ["frankfurt", "tokyo"]
