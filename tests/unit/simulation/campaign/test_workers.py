"""Worker processes: what one task does to its worker is no other task's business, and none is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
from tests.unit.simulation.campaign import tasks

from atoll.errors import InvalidConfiguration
from atoll.simulation.campaign.workers import Workers


def test_tasks_are_spread_and_all_are_answered() -> None:
    with Workers(2, seconds_max=60) as workers:
        done = list(workers.completed(tasks.square, range(20)))
    assert sorted((each.argument, each.value) for each in done) == [(n, n * n) for n in range(20)]
    assert not multiprocessing.active_children()


def test_worker_that_dies_costs_its_task_alone() -> None:
    with Workers(1, seconds_max=60) as workers:
        done = {each.argument: each for each in workers.completed(tasks.die_on_two, range(4))}
    assert "SIGKILL" in done[2].reason
    assert [done[n].value for n in (0, 1, 3)] == [0, 1, 3]


def test_worker_that_leaves_costs_its_task_alone() -> None:
    with Workers(1, seconds_max=60) as workers:
        (first, second) = workers.completed(tasks.leave_on_zero, [0, 1])
    assert first.reason == "the worker process died: exit code 7"
    assert second.value == 1


def test_worker_that_hangs_is_killed_for_it() -> None:
    with Workers(1, seconds_max=3) as workers:
        done = {each.argument: each for each in workers.completed(tasks.hang_on_one, range(3))}
    assert done[1].reason == "the run did not end within 3 s and was killed"
    assert (done[0].value, done[2].value) == (0, 2)


def test_error_is_told_with_its_place() -> None:
    with Workers(1, seconds_max=60) as workers:
        (done,) = workers.completed(tasks.stumble, [1])
    assert done.reason.startswith("RuntimeError: the harness stumbled (tasks.py, line ")


def test_bad_input_is_raised_for_it_would_come_again() -> None:
    with Workers(1, seconds_max=60) as workers, pytest.raises(InvalidConfiguration, match="no such region"):
        list(workers.completed(tasks.refuse, [1, 2, 3]))
    assert not multiprocessing.active_children()


def test_consumer_that_stops_leaves_no_process_and_few_tasks_begun() -> None:
    taken = []

    def endless() -> object:
        for number in range(1_000_000):
            taken.append(number)
            yield number

    with Workers(2, seconds_max=60) as workers:
        next(workers.completed(tasks.square, endless()))
    assert len(taken) <= 3
    assert not multiprocessing.active_children()


def test_interrupt_reaches_no_worker() -> None:
    """Ctrl-C goes to every process of the terminal; the parent alone decides what it means."""
    with Workers(1, seconds_max=60) as workers:
        (done,) = workers.completed(tasks.interrupt_myself, [5])
    assert done.value == 5


def test_workers_end_when_their_parent_is_gone(tmp_path: object) -> None:
    with Workers(1, seconds_max=60) as workers:
        (done,) = workers.completed(tasks.my_pid, [0])
        pid = done.value
        assert pid is not None
        workers._workers[0].pipe.close()
        workers._workers[0].process.join(timeout=20)
        assert workers._workers[0].process.exitcode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)
