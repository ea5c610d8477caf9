"""The guard around a run: whoever reaches for real time, chance, threads, sockets, files or processes is told off.

A leak raises :class:`SimulationLeak` where it happens and ends the run, whatever the code does with the exception.
Only the thread of the run is guarded. Two nets lie on top of each other: an audit hook, which sees what the
interpreter announces (and can never be removed, so it sleeps between runs), and replacements for what it does not
announce (:mod:`~atoll.simulation.loop.replacements`), which are taken out after the run. What was bound under another
name before is found by the static check of the imports in ``tests/tidy``.
"""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.logs import captured_logs
from atoll.simulation.loop.replacements import replaced

_FORBIDDEN: Final = ("socket.", "subprocess.", "os.", "sqlite3.", "shutil.", "tempfile.", "glob.", "mmap.", "fcntl.")
_FORBIDDEN_EXACTLY: Final = (
    "open",
    "_thread.start_new_thread",
    "_thread.start_joinable_thread",
    "signal.pthread_kill",
)

_READS_SOURCES: Final = ("linecache", "importlib.")
"""Modules that may read files: the text of a traceback, a module that is imported late."""

_forbidden: dict[str, bool] = {}
_frozen: list[bool] = []
_guards: dict[int, SimulationLoop] = {}
"""The loops that are guarded now, by thread."""


@contextlib.contextmanager
def guarded(loop: SimulationLoop) -> Iterator[None]:
    """Guard the run of ``loop`` from here on; closes it at the end.

    Garbage is not collected in between, since that would run destructors at moments of its own choosing. Log lines of
    ``structlog`` go to ``loop.logs``.
    """
    thread = threading.get_ident()
    assert not _guards, "one process guards one run at a time"
    _listen()
    with contextlib.ExitStack() as stack:
        stack.enter_context(collected_afterwards())
        stack.enter_context(_own_module_random(loop))
        stack.enter_context(replaced(loop, thread))
        stack.enter_context(captured_logs(loop))
        _guards[thread] = loop
        stack.callback(_guards.clear)
        stack.callback(loop.close)
        yield


@contextlib.contextmanager
def collected_afterwards() -> Iterator[None]:
    """Collect no garbage within the block, and at its end all that was made in it and is not referred to any more.

    What exists already is frozen meanwhile, so that collections look only at what is new; the world of an earlier run
    is full of circles, and would be frozen with it for ever if it were not collected before.
    """
    if _frozen:
        yield
        return
    enabled = gc.isenabled()
    gc.disable()
    gc.collect()
    gc.freeze()
    _frozen.append(True)
    try:
        yield
    finally:
        _frozen.clear()
        gc.collect()
        gc.unfreeze()
        if enabled:
            gc.enable()


@contextlib.contextmanager
def _own_module_random(loop: SimulationLoop) -> Iterator[None]:
    """Functions of ``random`` that somebody bound earlier cannot be replaced: they draw from the run's seed."""
    state = random.getstate()
    random.seed(f"{loop.streams.seed}:module random")
    try:
        yield
    finally:
        random.setstate(state)


def _listen() -> None:
    if not _forbidden:
        _forbidden.update(dict.fromkeys(_FORBIDDEN_EXACTLY, True))
        sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook. Events come by the thousand and nearly all are harmless: each name is judged once."""
    if not _guards:
        return
    forbidden = _forbidden.get(event)
    if forbidden is None:
        forbidden = _forbidden[event] = event.startswith(_FORBIDDEN)
    if not forbidden:
        return
    loop = _guards.get(threading.get_ident())
    if loop is not None and not _reads_sources(sys._getframe(1)):
        shown = f" of {arguments[0]!r}" if arguments and isinstance(arguments[0], str) else ""
        raise loop.leak(f"{event}{shown}")


def _reads_sources(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        if str(frame.f_globals.get("__name__", "")).startswith(_READS_SOURCES):
            return True
        frame = frame.f_back
    return False
