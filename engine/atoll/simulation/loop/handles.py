"""Handles: one callback that is scheduled once, in one life of a host.

They are asyncio's handles to callers, with fewer fields: two are made for most messages of a run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from atoll.simulation.loop.hosts import Life

if TYPE_CHECKING:
    from atoll.simulation.loop.agenda import Agenda


class SimulationHandle(asyncio.Handle):
    """A callback in the ready pool. Cancelled, or of a life that ended, it never runs."""

    __slots__ = ("life",)

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context, life: Life) -> None:
        self._callback: Callable[..., object] | None = callback
        self._args: Any = args
        self._context = context
        self._cancelled = False
        self.life = life

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = None
        self._args = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {label_of(self._callback)} on {self.life.host.name}>"


class SimulationTimerHandle(asyncio.TimerHandle):
    """A callback that waits for its time. ``when()`` is in the seconds of the host that set it."""

    __slots__ = ("agenda", "life")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], context: Context, life: Life, when: float
    ) -> None:
        self._callback: Callable[..., object] | None = callback
        self._args: Any = args
        self._context = context
        self._cancelled = False
        self._when = when
        self.agenda: Agenda | None = None
        """Set while the handle is in the heap of timers: a cancelled one is counted there."""
        self.life = life

    def cancel(self) -> None:
        if not self._cancelled and self.agenda is not None:
            self.agenda.timer_cancelled()
        self._cancelled = True
        self._callback = None
        self._args = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {label_of(self._callback)} on {self.life.host.name} at {self._when}>"


def label_of(callback: object) -> str:
    """A name of the code that will run, which is the same in every process: never an address."""
    while not hasattr(callback, "__qualname__") and hasattr(callback, "func"):
        callback = callback.func  # a functools.partial
    name: str = getattr(callback, "__qualname__", None) or type(callback).__qualname__
    return name
