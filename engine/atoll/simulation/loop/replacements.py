"""What stands in for the real world's functions during a run, where the interpreter announces nothing.

Nearly all of them raise :class:`~atoll.simulation.loop.errors.SimulationLeak`. A few libraries may ask for the time,
which never decides anything there: they get the running host's.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import ctypes
import datetime
import gc
import os
import random
import secrets
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.futures import SimulationFuture

MAY_ASK_FOR_TIME: Final = {
    "prometheus_client": "stamps the creation of each figure",
    "logging": "stamps each record",
    "hypothesis": "times the garbage collector, which runs at the end of a run",
}
"""Libraries, by the first part of their modules' names, and what they do with it."""

_CLOCKS: Final = ("time", "monotonic", "perf_counter", "process_time", "thread_time")
_NOW_IF_WITHOUT_ARGUMENT: Final = {"localtime": 0, "gmtime": 0, "ctime": 0, "asctime": 0, "strftime": 1}
"""Functions that take the present if they get no more than so many arguments."""

_SECRETS: Final = ("token_bytes", "token_hex", "token_urlsafe", "randbelow", "randbits", "choice")


class Replacements:
    """Makes stand-ins for one run. In other threads, and when kept beyond the run, they do what the original does."""

    def __init__(self, loop: SimulationLoop, thread: int) -> None:
        self._loop = loop
        self._thread = thread
        self.over = False

    def refused(self, name: str, real: Callable[..., Any], when: Callable[..., bool] | None = None) -> Any:
        """A function that leaks at each call, or at those that ``when`` says."""

        def refuse(*args: Any, **kwargs: Any) -> Any:
            if self._is_elsewhere() or (when is not None and not when(*args, **kwargs)):
                return real(*args, **kwargs)
            raise self._loop.leak(f"{name}()")

        return refuse

    def clock(self, name: str, real: Callable[[], Any]) -> Any:
        """A function of ``time`` without arguments."""

        def read() -> Any:
            if self._is_elsewhere():
                return real()
            self._check_reader(f"time.{name}")
            seconds = self._seconds(is_wall=name.startswith("time"))
            return round(seconds * 1_000_000_000) if name.endswith("_ns") else seconds

        return read

    def now(self, name: str, real: Callable[..., Any], zone: datetime.tzinfo | None) -> Any:
        """A class method of ``datetime`` that reads the clock."""

        def read(kind: type[datetime.datetime], tz: datetime.tzinfo | None = zone) -> Any:
            if self._is_elsewhere():
                return real.__get__(None, kind)() if tz is zone else real.__get__(None, kind)(tz)
            self._check_reader(f"datetime.{name}")
            return kind.fromtimestamp(self._seconds(is_wall=True), tz or datetime.UTC).replace(tzinfo=tz)

        return classmethod(read)

    def _is_elsewhere(self) -> bool:
        return self.over or threading.get_ident() != self._thread

    def _check_reader(self, name: str) -> None:
        reader = str(sys._getframe(2).f_globals.get("__name__", "")).partition(".")[0]
        if reader not in MAY_ASK_FOR_TIME:
            raise self._loop.leak(f"{name}()")

    def _seconds(self, is_wall: bool) -> float:
        clock = self._loop.current_host().clock
        return clock.wall_ms() / 1000 if is_wall else clock.monotonic()


@contextlib.contextmanager
def replaced(loop: SimulationLoop, thread: int) -> Iterator[None]:
    """Put everything in its place, and the originals back at the end."""
    makes = Replacements(loop, thread)
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, makes, "over", True)
        for module, name, stand_in in _stand_ins(makes):
            stack.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, stand_in)
        stack.enter_context(_datetime_replaced(makes))
        stack.enter_context(_asyncio_in_order())
        yield


def _stand_ins(makes: Replacements) -> Iterator[tuple[Any, str, Any]]:
    for name in (*_CLOCKS, *(f"{clock}_ns" for clock in _CLOCKS)):
        yield time, name, makes.clock(name, getattr(time, name))
    for name, arguments in _NOW_IF_WITHOUT_ARGUMENT.items():
        yield time, name, makes.refused(f"time.{name}", getattr(time, name), _has_at_most(arguments))
    for module, name in _refused_always():
        yield module, name, makes.refused(f"{module.__name__}.{name}", getattr(module, name))
    yield random, "_urandom", makes.refused("random.SystemRandom", os.urandom)
    yield random.Random, "seed", makes.refused("random.Random", random.Random.seed, _seeds_with_nothing)


def _refused_always() -> Iterator[tuple[Any, str]]:
    for name in random.__all__:
        if isinstance(getattr(getattr(random, name), "__self__", None), random.Random):
            yield random, name
    for name in _SECRETS:
        yield secrets, name
    for module, names in (
        (time, ("sleep", "clock_gettime", "clock_gettime_ns")),
        (os, ("urandom", "getrandom")),
        (uuid, ("uuid1", "uuid4")),
        (_thread, ("start_new_thread", "start_joinable_thread")),
        (threading, ("_start_new_thread", "_start_joinable_thread")),
    ):
        for name in names:
            if hasattr(module, name):
                yield module, name


def _has_at_most(count: int) -> Callable[..., bool]:
    return lambda *args: len(args) <= count


def _seeds_with_nothing(_: random.Random, seed: object = None, version: int = 2) -> bool:  # noqa: ARG001
    return seed is None


@contextlib.contextmanager
def _datetime_replaced(makes: Replacements) -> Iterator[None]:
    """``datetime`` is written in C and bound by name everywhere: the methods are exchanged in the type itself, since
    a subclass in its place would fail the codec's tests of exact types."""
    kind = datetime.datetime
    methods: dict[str, Any] = gc.get_referents(kind.__dict__)[0]
    originals = {name: methods[name] for name in ("now", "utcnow")}
    methods["now"] = makes.now("now", originals["now"], None)
    methods["utcnow"] = makes.now("utcnow", originals["utcnow"], None)
    _forget_cached_methods(kind)
    try:
        yield
    finally:
        methods.update(originals)
        _forget_cached_methods(kind)


def _forget_cached_methods(kind: type) -> None:
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


@contextlib.contextmanager
def _asyncio_in_order() -> Iterator[None]:
    """What asyncio itself orders by address: the futures that ``gather`` makes, and coroutines that are given to
    ``as_completed``, which become tasks in the order of a set of them."""
    gathering: Any = asyncio.tasks._GatheringFuture  # type: ignore[attr-defined]
    real = asyncio.tasks.as_completed

    def as_completed(fs: Iterable[Any], *, timeout: float | None = None) -> Any:
        return real([asyncio.ensure_future(one) for one in dict.fromkeys(fs)], timeout=timeout)

    gathering.__hash__ = SimulationFuture.__hash__
    asyncio.as_completed = asyncio.tasks.as_completed = as_completed
    try:
        yield
    finally:
        asyncio.as_completed = asyncio.tasks.as_completed = real
        del gathering.__hash__
