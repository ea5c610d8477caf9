"""Worker processes that fail one task at a time: a worker that dies or hangs costs its task, not the campaign.

Each worker is a fresh interpreter with a hash seed of its own, takes one task after the other over a pipe, and ends
when the pipe does, so that none outlives its parent. Interrupts reach the parent alone.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, NamedTuple, TypeVar

from atoll.errors import AtollError

A = TypeVar("A")
R = TypeVar("R")

_SPAWN = multiprocessing.get_context("spawn")


class Done(NamedTuple, Generic[A, R]):
    """How one task ended. Exactly one of ``value`` and ``reason`` says something."""

    argument: A
    value: R | None
    reason: str
    """Why there is no value: the worker died, hung, or the function raised; empty if all is well."""


@dataclass(slots=True, eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    argument: Any = None
    deadline: float = 0.0


class Workers:
    """A context of at most ``jobs`` processes. Leaving it, by whatever way, kills those that are left.

    ``seconds_max``: real time one task may take before its worker is killed for it.
    """

    def __init__(self, jobs: int, *, seconds_max: float) -> None:
        assert jobs >= 1, "a campaign needs a worker"
        assert seconds_max > 0, "no task ends in no time"
        self._jobs = jobs
        self._seconds_max = seconds_max
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            _bury(worker)
        self._workers.clear()

    def completed(self, function: Callable[[A], R], arguments: Iterable[A]) -> Iterator[Done[A, R]]:
        """Call ``function``, which stands at the top of a module, with each argument; yields in order of completion.

        Arguments are taken when a worker is free for them, so that a consumer who stops has started few too many.
        An error of a task is told in ``reason``; one of the :class:`AtollError` tree is raised here, for it is about
        the input and would come again.
        """
        pending = iter(arguments)
        exhausted = False
        busy: list[_Worker] = []
        while busy or not exhausted:
            while not exhausted and len(busy) < self._jobs:
                try:
                    argument = next(pending)
                except StopIteration:
                    exhausted = True
                else:
                    busy.append(self._begin(function, argument))
            for worker in self._ended(busy):
                busy.remove(worker)
                yield self._outcome(worker)

    def _begin(self, function: Callable[[A], R], argument: A) -> _Worker:
        idle = [worker for worker in self._workers if worker.argument is None]
        worker = idle[0] if idle else self._start()
        worker.argument = (argument,)
        worker.deadline = time.monotonic() + self._seconds_max
        with suppress(BrokenPipeError):  # it has died, which is noticed like any other end
            worker.pipe.send((function, argument))
        return worker

    def _start(self) -> _Worker:
        """Start a process that is deaf to interrupts from its first instruction on."""
        mine, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(theirs,), daemon=True, name="atoll-simulate")
        resource_tracker.ensure_running()  # when it starts by itself, it unblocks the signal too early
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
            self._workers.append(worker := _Worker(process, mine))
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return worker

    def _ended(self, busy: list[_Worker]) -> list[_Worker]:
        """Those of ``busy`` that have answered, died or run out of time; waits until there is one."""
        if not busy:
            return []
        patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
        ready = wait([worker.pipe for worker in busy], timeout=patience)
        return [worker for worker in busy if worker.pipe in ready or time.monotonic() >= worker.deadline]

    def _outcome(self, worker: _Worker) -> Done[Any, Any]:
        (argument,), worker.argument = worker.argument, None
        if not worker.pipe.poll():
            self._discard(worker)
            return Done(argument, None, f"the run did not end within {self._seconds_max:g} s and was killed")
        try:
            value, error = worker.pipe.recv()
        except (EOFError, OSError):
            code = self._discard(worker)
            return Done(argument, None, f"the worker process died: {_death(code)}")
        if isinstance(error, AtollError):
            raise error
        return Done(argument, value, "" if error is None else str(error))

    def _discard(self, worker: _Worker) -> int:
        worker.process.join(timeout=1)
        worker.process.kill()
        self._workers.remove(worker)
        return _bury(worker)


def _bury(worker: _Worker) -> int:
    worker.process.join()
    code = worker.process.exitcode
    worker.pipe.close()
    worker.process.close()
    return 0 if code is None else code


def _death(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    return f"{name} (perhaps the machine ran out of memory)" if name == "SIGKILL" else name


def _serve(pipe: Connection) -> None:
    """A worker's life: a task, its answer, the next, until the parent's end of the pipe is gone."""
    while True:
        try:
            function, argument = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(_attempt(function, argument))


def _attempt(function: Callable[[Any], Any], argument: Any) -> tuple[Any, AtollError | str | None]:
    try:
        return function(argument), None
    except AtollError as error:
        return None, error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return None, f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"
