"""The event loop of a simulated world: integer time, a pool of what is ready, a heap of what will be.

``call_soon`` is the only door: every step of every task goes through it. While anything is ready, the scheduling
policy picks what runs; when nothing is, time jumps to the next timer. Code takes no time. Everything runs in the
context of one life of one host (:mod:`atoll.simulation.loop.hosts`), and the loop shows each host its own clock.

A run is one ``run_until_complete`` inside :func:`~atoll.simulation.loop.leaks.guarded`.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Sequence
from typing import Any, TypeVar, TypeVarTuple

from atoll.simulation import limits
from atoll.simulation.loop.agenda import Agenda
from atoll.simulation.loop.bounds import Bounds, Watch
from atoll.simulation.loop.clocks import NANOSECONDS, whole_ns
from atoll.simulation.loop.disposal import dispose
from atoll.simulation.loop.entropy import Streams
from atoll.simulation.loop.errors import SimulationDeadlock, SimulationError, SimulationLeak
from atoll.simulation.loop.failures import Failure, failure_of
from atoll.simulation.loop.futures import SimulationFuture, SimulationTask
from atoll.simulation.loop.generators import GeneratorKeeper
from atoll.simulation.loop.handles import SimulationHandle, SimulationTimerHandle, label_of
from atoll.simulation.loop.hosts import LIFE, Host, Life
from atoll.simulation.loop.logs import LogLine
from atoll.simulation.loop.refusals import RefusingLoop
from atoll.simulation.loop.scheduling import Recording, Replay, policy_of
from atoll.simulation.loop.trace import TIME, Trace
from atoll.simulation.loop.waiting import describe_busiest, describe_deadlock, leak_of

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
ExceptionHandler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]


class SimulationLoop(RefusingLoop):
    """One run's loop; it cannot be used for a second one.

    ``scheduling`` is a name that :func:`~atoll.simulation.loop.scheduling.policy_of` knows; with ``choices``, those
    of a recorded run are made again instead. ``record`` keeps the trace's events and the choices that were made.
    """

    def __init__(
        self,
        *,
        seed: int,
        scheduling: str = "uniform",
        record: bool = False,
        choices: Sequence[int] | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self.streams = Streams(seed)
        self.trace = Trace(self.now, record)
        self.failures: list[Failure] = []
        """What asyncio would have logged, in the order in which it would have."""
        self.logs: deque[LogLine] = deque(maxlen=limits.LOG_LINES_MAX)
        """The last lines that were logged in a guarded run."""
        self.steps = 0
        """Handles run so far, in whole rounds of ``STEPS_PER_ROUND`` while the loop runs."""
        chosen = policy_of(scheduling, self.streams.get("scheduling"))
        self._policy = chosen if choices is None else Replay(choices)
        self._recording = Recording(self._policy) if record else None
        self._numbers = itertools.count(1)
        self._agenda = Agenda()
        self._ready = self._agenda.ready
        self._labels: dict[str, int] = {}
        self._hosts: dict[str, Host] = {}
        self._life = self.host("harness").present
        self._exception_handler: ExceptionHandler | None = None
        self._generators = GeneratorKeeper(self)
        self._watch = Watch(bounds or Bounds())
        self._ends = False
        self._ended_by: SimulationError | None = None
        self._running = False
        self._closed = False

    # -- the world ----------------------------------------------------------------------------------------------

    def now(self) -> float:
        """True simulated seconds since the loop began."""
        return self._agenda.true_ns / NANOSECONDS

    def now_ns(self) -> int:
        """True simulated nanoseconds since the loop began."""
        return self._agenda.true_ns

    @property
    def choices(self) -> Sequence[int]:
        """What the scheduling policy chose, if the run is recorded: a tape for ``choices`` of another run."""
        return self._recording.choices if self._recording is not None else ()

    def host(self, name: str) -> Host:
        """The host of that name, made and started when it is first asked for."""
        if name not in self._hosts:
            self._hosts[name] = Host(self, name, self.next_number())
        return self._hosts[name]

    def current_host(self) -> Host:
        """The host of the code that runs; outside a run, the harness."""
        return self._life.host

    def spawn(self, host: Host, coroutine: Coroutine[Any, Any, T], name: str) -> SimulationTask[T]:
        """Start a task on a host that is alive, in its present life."""
        assert host.alive, f"{name} cannot start on {host.name}, which is dead"
        return self.create_task(coroutine, name=name, context=host.present.context.copy())

    def call_on(
        self, host: Host, delay_seconds: float, callback: Callable[..., object], *args: Any
    ) -> SimulationTimerHandle:
        """Call back after so much true time, in the life that the host has now: never, if that ends before; later,
        if the host is paused then."""
        life = host.present
        due_ns = self._agenda.true_ns + whole_ns(delay_seconds)
        handle = SimulationTimerHandle(callback, args, life.context.copy(), life, due_ns / NANOSECONDS)
        self._agenda.set_timer(due_ns, handle)
        return handle

    def crash(self, host: Host) -> int:
        """End the host's life: nothing of it runs again, no ``finally``, no ``except``; returns how many tasks died.

        Code of that life that is on the stack now runs to its next await. All that dies is kept until the loop is
        closed, so that no destructor runs in between.
        """
        assert host.alive, f"{host.name} crashes but is already dead"
        assert host.name != "harness", "the harness cannot crash"
        victims = [task for task in self.pending() if task.life is host.present]
        self._agenda.end_life(host.present)
        self._agenda.bury(*victims)
        return len(victims)

    def pause(self, host: Host) -> None:
        """Let the host stand still, as under SIGSTOP. Its clock goes on."""
        assert host.alive, f"{host.name} is paused but dead"
        assert not host.paused, f"{host.name} is paused already"
        self._agenda.park(host)

    def resume(self, host: Host) -> None:
        """Let the host go on: all that became due meanwhile is ready at once. Nothing, if it has crashed since."""
        if host.paused:
            self._agenda.unpark(host)

    def pending(self) -> Sequence[SimulationTask[Any]]:
        """Tasks that are not done, of all lives, in the order of their creation."""
        tasks = [task for task in asyncio.all_tasks(self) if isinstance(task, SimulationTask)]
        return sorted(tasks, key=lambda task: task.number)

    def abort(self, error: SimulationError) -> None:
        """End the run with this error after the present step, whatever the code under test does with it."""
        self._ended_by = self._ended_by or error
        self._ends = True

    def leak(self, what: str) -> SimulationLeak:
        error = leak_of(what)
        self.abort(error)
        return error

    def next_number(self) -> int:
        """The next of the numbers that stand for tasks, futures, hosts and labels."""
        return next(self._numbers)

    # -- scheduling ---------------------------------------------------------------------------------------------

    def time(self) -> float:
        """The running host's monotonic clock."""
        return self._life.host.clock.monotonic()

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> SimulationHandle:
        if context is None:
            life = self._life
            context = contextvars.copy_context() if self._running else life.context.copy()
        else:
            life = context.get(LIFE) or self._life
        handle = SimulationHandle(callback, args, context, life)
        if life.running:
            self._ready.append(handle)
        else:
            self._agenda.enqueue(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> SimulationTimerHandle:
        clock = self._life.host.clock
        context, life = self._context_and_life(context)
        due_ns = self._agenda.true_ns + clock.true_duration_ns(delay)
        return self._set_timer(due_ns, clock.monotonic() + delay, callback, args, context, life)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> SimulationTimerHandle:
        context, life = self._context_and_life(context)
        due_ns = self._life.host.clock.true_moment_ns(when)
        return self._set_timer(due_ns, when, callback, args, context, life)

    def create_future(self) -> SimulationFuture[Any]:
        return SimulationFuture(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> SimulationTask[T]:
        if context is None and not self._running:
            context = self._life.context.copy()
        label = name or label_of(coro)
        task: SimulationTask[T] = SimulationTask(coro, loop=self, name=label, context=context)
        task.life = self._life if context is None else context.get(LIFE) or self._life
        self.trace.label(hash(task), label)
        return task

    def _context_and_life(self, context: contextvars.Context | None) -> tuple[contextvars.Context, Life]:
        if context is not None:
            return context, context.get(LIFE) or self._life
        return contextvars.copy_context() if self._running else self._life.context.copy(), self._life

    def _set_timer(
        self,
        due_ns: int,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context,
        life: Life,
    ) -> SimulationTimerHandle:
        handle = SimulationTimerHandle(callback, args, context, life, when)
        self._agenda.set_timer(due_ns, handle)
        return handle

    # -- running ------------------------------------------------------------------------------------------------

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until the future is done, as a task of the harness if it is a coroutine.

        Raises :class:`SimulationDeadlock`, :class:`SimulationLivelock`, :class:`SimulationOverrun`, or the leak that
        ended the run.
        """
        main: asyncio.Future[T] = asyncio.ensure_future(future, loop=self)  # type: ignore[arg-type]
        main.add_done_callback(self._main_is_done, context=self._life.context.copy())
        self.run_forever()
        return main.result()

    def run_forever(self) -> None:
        assert asyncio._get_running_loop() is None, "a simulation cannot run inside a running event loop"
        assert not self._closed, "the simulation is over"
        self._running, self._ends = True, self._ended_by is not None
        asyncio._set_running_loop(self)
        self._generators.install()
        try:
            while not self._ends:
                self._run_round()
                self.steps += limits.STEPS_PER_ROUND
                self._watch.look(self._agenda.true_ns)
                if self._watch.is_stuck:
                    raise self._watch.livelock(describe_busiest(self.trace.entries, self.pending(), self._labels))
                self.trace.hash_block()
        except SimulationError as error:
            self.abort(error)
        finally:
            self._generators.uninstall()
            asyncio._set_running_loop(None)
            self._running = False
            self._life = self.host("harness").present
        if self._ended_by is not None:
            raise self._ended_by

    def _run_round(self) -> None:
        """Run a round of steps, or fewer if the run ends. The hot path: everything that can be local is."""
        agenda, ready, entries, labels = self._agenda, self._ready, self.trace.entries, self._labels
        choose = (self._recording or self._policy).choose
        handle: Any = None
        callback: Any = None
        owner: Any = None
        for _ in range(limits.STEPS_PER_ROUND):
            if self._ends:
                return
            while not ready:
                handle = callback = owner = None  # what the last step held dies before time moves on
                if not agenda.advance():
                    raise self._deadlock()
                entries += (TIME, agenda.true_ns)
            handle = ready.pop(choose(ready)) if len(ready) > 1 else ready.pop()
            callback = handle._callback
            if callback is None:
                continue
            life = self._life = handle.life
            owner = getattr(callback, "__self__", None)
            if type(owner) is SimulationTask:
                entries.append(owner.number)
            else:
                number = labels.get(getattr(callback, "__qualname__", "")) or self._number_label(callback)
                entries += (number, life.serial)
            try:
                handle._context.run(callback, *handle._args)
            except (SystemExit, KeyboardInterrupt, SimulationError):
                raise
            except BaseException as error:
                message = f"Exception in callback {label_of(callback)}"
                self.call_exception_handler({"message": message, "exception": error, "source": callback})

    def _number_label(self, callback: Callable[..., object]) -> int:
        label = label_of(callback)
        if label not in self._labels:
            self._labels[label] = self.next_number()
            self.trace.label(self._labels[label], label)
        return self._labels[label]

    def _deadlock(self) -> SimulationDeadlock:
        waiting = describe_deadlock(self.pending(), [host for host in self._hosts.values() if host.paused])
        return SimulationDeadlock(f"nothing is left to run after {self.now():.3f} s{waiting}")

    def _main_is_done(self, _: asyncio.Future[Any]) -> None:
        self._ends = True

    # -- asyncio's housekeeping ---------------------------------------------------------------------------------

    def stop(self) -> None:
        self._ends = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Free what the run has left, in the order of its creation: no code of it has an effect any more, nothing
        warns. Errors of tasks that nobody had retrieved are in ``failures`` afterwards."""
        if not self._closed:
            assert not self._running, "a running simulation cannot be closed"
            dispose(self)

    def fall_silent(self) -> None:
        """Called when the disposal begins: from here on nothing is told or traced."""
        self._closed = True
        self.trace.seal()

    def forget_everything(self) -> None:
        """Called when the disposal ends, with whatever the last breaths have scheduled."""
        self._agenda.clear()
        for host in self._hosts.values():
            host.parked.clear()

    def close_generator(self, generator: AsyncGenerator[Any, Any], life: Life) -> None:
        """Called when an asynchronous generator was left unfinished; that of a dead process stays as it is."""
        if life.ended:
            self._agenda.bury(generator)
        else:
            self.create_task(generator.aclose(), name="aclose", context=life.context.copy())

    async def shutdown_asyncgens(self) -> None:
        """Nothing: a simulated process ends without clean-up, with its world."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Nothing: there is no executor."""

    def get_task_factory(self) -> None:
        return None

    def get_exception_handler(self) -> ExceptionHandler | None:
        return self._exception_handler

    def set_exception_handler(self, handler: ExceptionHandler | None) -> None:
        self._exception_handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Remember a failure, unless it is one of a process that has crashed."""
        future = context.get("task") or context.get("future")
        died = isinstance(future, SimulationTask) and future.life.ended
        if not self._closed and not died:
            failure = failure_of(context, self.now(), self._life.host.name)
            self.failures.append(failure)
            if self._running:
                self.trace.note("failure", failure.host, f"{failure.message} {type(failure.error).__qualname__}")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._exception_handler is None:
            self.default_exception_handler(context)
        else:
            self._exception_handler(self, context)

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        assert not enabled, "asyncio's debug mode reads real time"
