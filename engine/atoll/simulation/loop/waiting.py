"""Places in the code, in words: where tasks wait, and who reached for the real world."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from types import FrameType
from typing import Any

from atoll.simulation.limits import PENDING_TASKS_SHOWN_MAX
from atoll.simulation.loop.errors import SimulationLeak
from atoll.simulation.loop.futures import SimulationTask
from atoll.simulation.loop.hosts import Host

_ASYNCIO = str(PurePath(asyncio.__file__).parent)
_STANDARD_LIBRARY = PurePath(asyncio.__file__).parent.parent


def describe_deadlock(pending: Iterable[SimulationTask[Any]], paused: Sequence[Host]) -> str:
    """Who waits where, one line a task in the order of their creation; the tasks of the dead do not wait."""
    lines = [
        f"  {task.life.host.name}: {task.get_name()} waits {await_site(task)}"
        for task in pending
        if not task.life.ended
    ]
    more = len(lines) - PENDING_TASKS_SHOWN_MAX
    if more > 0:
        lines[PENDING_TASKS_SHOWN_MAX:] = [f"  and {more} more"]
    also = f"; paused: {', '.join(host.name for host in paused)}" if paused else ""
    return "\n".join([f"{also}; waiting:", *lines])


def describe_busiest(steps: Iterable[int], pending: Iterable[SimulationTask[Any]], labels: Mapping[str, int]) -> str:
    """Who ran most in the last round, by the numbers that the trace has of its steps."""
    names = {task.number: f"{task.life.host.name}: {task.get_name()}" for task in pending}
    names.update({number: label for label, number in labels.items()})
    counts = Counter(number for number in steps if number in names)
    return "\n".join(f"  {names[number]}: {count} of the last steps" for number, count in counts.most_common(5))


def await_site(task: SimulationTask[Any]) -> str:
    """``in Puller.run at atoll/node/replication/puller.py:88``; ``to begin`` if the task never ran."""
    site = "to begin"
    waiter: Any = task.get_coro()
    while waiter is not None:
        frame = _first_of(waiter, "cr_frame", "gi_frame", "ag_frame")
        if frame is not None and not frame.f_code.co_filename.startswith(_ASYNCIO) and frame.f_lasti > 0:
            site = f"in {frame.f_code.co_qualname} at {place_of(frame)}"
        waiter = _first_of(waiter, "cr_await", "gi_yieldfrom", "ag_await")
    return site


def leak_of(what: str) -> SimulationLeak:
    """The error for reaching into the real world; names the innermost frame of Atoll outside this package."""
    frames = list(_frames_from(sys._getframe(1)))
    outside = [frame for frame in frames if not _is_library(frame)] or frames
    blamed = next((frame for frame in outside if _module_of(frame).startswith("atoll.")), outside[0])
    place = f"{place_of(blamed)} in {blamed.f_code.co_qualname}"
    return SimulationLeak(f"{what} reaches out of a simulated run, at {place}: take it in through a port")


def _frames_from(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_library(frame: FrameType) -> bool:
    own = _module_of(frame).startswith("atoll.simulation.loop.")
    return own or PurePath(frame.f_code.co_filename).is_relative_to(_STANDARD_LIBRARY)


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def place_of(frame: FrameType) -> str:
    """``atoll/node/writer.py:12``: from the package on, so that it is the same on every machine."""
    path = PurePath(frame.f_code.co_filename)
    parts = path.parts
    shown = parts[len(parts) - 1 - parts[::-1].index("atoll") :] if "atoll" in parts else parts[-2:]
    return f"{'/'.join(shown)}:{frame.f_lineno}"


def _first_of(waiter: object, *names: str) -> Any:
    return next((value for name in names if (value := getattr(waiter, name, None)) is not None), None)
