"""A sweep judges every seed, proves some of them deterministic, and says what it was worth."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

import pytest
from tests.unit.simulation.campaign import worlds
from tests.unit.simulation.campaign.worlds import scenario

from atoll.simulation.campaign import density
from atoll.simulation.campaign.case import Failure
from atoll.simulation.campaign.seeds import Job, chosen_twice, deal
from atoll.simulation.campaign.sweep import Progress, first_difference, sweep
from atoll.simulation.result import TraceEvent
from atoll.simulation.verdict import Verdict


def jobs(*seeds: int) -> list[Job]:
    return [Job(scenario(), seed) for seed in seeds]


def test_seeds_that_once_failed_come_first_and_no_job_comes_twice() -> None:
    one, two = scenario("one", seeds=[9, 4]), scenario("two", seeds=[9])
    dealt = [(job.scenario.name, job.seed, job.regression) for job in deal([one, two], [1, 2, 3, 4])]
    assert dealt[:3] == [("one", 9, True), ("one", 4, True), ("two", 9, True)]
    assert dealt[3:] == [("one", 1, False), ("two", 2, False), ("one", 3, False), ("two", 4, False)]
    assert [job.seed for job in deal([one], [5, 9, 4])] == [9, 4, 5]


def test_one_in_twenty_is_chosen_to_run_twice_the_same_in_every_sweep() -> None:
    many = jobs(*range(2_000))
    chosen = chosen_twice(many)
    assert 60 <= len(chosen) <= 140
    assert chosen_twice(many[::-1]) == chosen[::-1]
    assert len(chosen_twice(jobs(1, 2))) == 1
    assert chosen_twice([]) == []


def test_valid_runs_make_a_valid_sweep_and_are_proved_deterministic() -> None:
    told: list[Progress] = []
    result = sweep(jobs(1, 2, 3, 4), processes=2, run=worlds.run_well, tell=told.append)
    assert result.verdict is Verdict.VALID
    assert [outcome.job.seed for outcome in result.outcomes] == [1, 2, 3, 4]
    assert (result.repeated, result.stopped) == (1, "")
    assert [(each.done, each.planned) for each in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert not multiprocessing.active_children()


def test_violations_are_counted_by_class() -> None:
    result = sweep(jobs(*range(1, 10)), processes=1, run=worlds.run_badly_each_third)
    assert result.verdict is Verdict.VIOLATED
    (only,) = density.failures(result)
    assert (only.failure, only.runs, only.first.job.seed) == (Failure("sets", "lost write"), 3, 3)
    assert only.per_thousand == pytest.approx(1_000 / 3)
    assert only.sentence == "lost write at 40 s"


def test_fail_fast_stops_at_the_first_violation() -> None:
    result = sweep(jobs(*range(1, 100)), processes=1, run=worlds.run_badly_each_third, fail_fast=True)
    assert (result.stopped, len(result.outcomes), result.repeated) == ("fail-fast", 3, 0)
    assert result.planned == 99


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (worlds.run_and_die_on_two, "SIGKILL"),
        (worlds.run_and_hang_on_two, "did not end within 4 s"),
        (worlds.run_and_raise_on_two, "RuntimeError: the harness stumbled"),
    ],
    ids=["dies", "hangs", "raises"],
)
def test_run_that_does_not_end_is_unknown_and_the_sweep_goes_on(run: worlds.Runner, reason: str) -> None:
    result = sweep(jobs(1, 2, 3), processes=1, run=run, seconds_max=4)
    assert [outcome.verdict for outcome in result.outcomes] == [Verdict.VALID, Verdict.UNKNOWN, Verdict.VALID]
    assert reason in result.unfinished[0].reason
    assert result.verdict is Verdict.UNKNOWN


def test_run_that_differs_between_processes_is_a_violation_that_names_the_first_event() -> None:
    result = sweep(jobs(1), processes=1, run=worlds.run_by_chance)
    assert result.verdict is Verdict.VIOLATED
    (difference,) = result.differences
    assert difference.finding.anomaly == "not deterministic"
    assert difference.finding.at == 2.0
    assert "they part at event 2: 2.000000 s tokyo/n1 commit process" in difference.finding.sentence


def test_interrupt_keeps_what_is_known_and_leaves_no_process() -> None:
    def interrupt(progress: Progress) -> None:
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()

    result = sweep(jobs(1, *range(100, 200)), processes=1, run=worlds.run_well_then_slowly, tell=interrupt)
    assert result.stopped == "interrupted"
    assert [outcome.job.seed for outcome in result.outcomes] == [1]
    assert not multiprocessing.active_children()


def test_sweep_of_nothing_is_unknown() -> None:
    assert sweep([], processes=2, run=worlds.run_well).verdict is Verdict.UNKNOWN


def test_checker_counts_over_the_whole_sweep() -> None:
    result = sweep(jobs(1, 2), processes=1, run=worlds.run_with_idle_checkers)
    assert result.never_checked == {"always idle": "no data"}
    assert result.verdict is Verdict.UNKNOWN
    assert [(each.checker, each.runs) for each in density.checkers(result)] == [
        ("sometimes idle", 1),
        ("always idle", 0),
    ]


def test_faults_that_never_bit_are_named() -> None:
    result = sweep(jobs(1, 2), processes=1, run=worlds.run_with_toothless_faults)
    assert density.never_bit(result) == ["clock"]
    cut = next(each for each in density.faults(result) if each.kind == "cut")
    assert (cut.done, cut.runs_done, cut.runs_bitten, cut.bites) == (2, 2, 1, 7)


def test_legal_anomalies_are_counted() -> None:
    result = sweep(jobs(1, 2), processes=1, run=worlds.run_with_toothless_faults)
    assert [(each.name, each.count, each.runs) for each in density.anomalies(result)] == [("stale read", 6, 2)]


def test_shorter_trace_parts_where_it_ends() -> None:
    event = TraceEvent(at=1.0, lane="a", kind="send", label="x", peer="b")
    assert first_difference([event], [event]) is None
    assert first_difference([event], []) == (
        1.0,
        "they part at event 1: 1.000000 s a send x with b here, the end there",
    )
