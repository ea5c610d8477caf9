"""The end of a world: what is left of a run is freed, and none of it has an effect any more.

Python has no way to drop a suspended coroutine without running its ``finally``. So it runs here: in the order of
creation, against a closed loop that takes nothing, with warnings and unraisable errors silenced.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from atoll.simulation.loop.futures import SimulationTask

if TYPE_CHECKING:
    from atoll.simulation.loop.event_loop import SimulationLoop


def dispose(loop: SimulationLoop) -> None:
    """First let every failed task that nobody will ask say so, then free the rest in silence."""
    pending = list(loop.pending())
    gc.collect()
    asyncio._set_running_loop(loop)  # what a ``finally`` asks for must not make a real loop
    with _silence():
        loop.fall_silent()
        _close_coroutines(pending)
        loop.forget_everything()
        pending.clear()
        gc.collect()
    asyncio._set_running_loop(None)


def _close_coroutines(tasks: Sequence[SimulationTask[Any]]) -> None:
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        coroutine: Any = task.get_coro()
        with contextlib.suppress(BaseException):
            coroutine.close()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = hook
