"""Asynchronous generators that were left unfinished are closed by a task of the life they began in."""

from __future__ import annotations

import sys
import weakref
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from atoll.simulation.loop.hosts import LIFE, Life

if TYPE_CHECKING:
    from atoll.simulation.loop.event_loop import SimulationLoop


class GeneratorKeeper:
    """The interpreter's hooks while a run is on. Garbage is not collected then, so that a generator's end comes when
    the last reference goes: at the same step of each run."""

    def __init__(self, loop: SimulationLoop) -> None:
        self._loop = loop
        self._lives: weakref.WeakKeyDictionary[AsyncGenerator[Any, Any], Life] = weakref.WeakKeyDictionary()
        self._hooks = sys.get_asyncgen_hooks()

    def install(self) -> None:
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._begun, finalizer=self._left)

    def uninstall(self) -> None:
        sys.set_asyncgen_hooks(*self._hooks)

    def _begun(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._lives[generator] = LIFE.get()

    def _left(self, generator: AsyncGenerator[Any, Any]) -> None:
        life = self._lives[generator]
        if not self._loop.is_closed():
            self._loop.close_generator(generator, life)
