"""A run in a process of its own: it may hang, die or be interrupted, and whoever asked for it goes on.

A run also takes real time and real threads away from its process while it lasts, which a progress bar needs.
"""

from __future__ import annotations

from types import TracebackType
from typing import NamedTuple

from atoll.simulation.campaign.runs import Runner
from atoll.simulation.campaign.workers import Workers
from atoll.simulation.limits import RUN_REAL_SECONDS_MAX
from atoll.simulation.plan import Plan
from atoll.simulation.result import RunResult
from atoll.simulation.scenario.scenario import Scenario


class RunLost(Exception):
    """The run did not come to its end; the message says why."""


class Isolated:
    """A context that is a :class:`Runner`: every call runs ``run`` in one worker process, which is kept for the next.

    Calls raise :class:`RunLost` where the worker died, hung or raised.
    """

    def __init__(self, run: Runner, *, seconds_max: float = RUN_REAL_SECONDS_MAX) -> None:
        self._run = run
        self._workers = Workers(1, seconds_max=seconds_max)

    def __enter__(self) -> Isolated:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workers.__exit__(kind, error, trace)

    def __call__(self, scenario: Scenario, seed: int, plan: Plan | None = None, *, record: bool = False) -> RunResult:
        task = _Task(self._run, scenario, seed, plan, record)
        (done,) = self._workers.completed(_perform, [task])
        if done.value is None:
            raise RunLost(f"{scenario.name}, seed {seed}: {done.reason}")
        return done.value


class _Task(NamedTuple):
    run: Runner
    scenario: Scenario
    seed: int
    plan: Plan | None
    record: bool


def _perform(task: _Task) -> RunResult:
    return task.run(task.scenario, task.seed, task.plan, record=task.record)
