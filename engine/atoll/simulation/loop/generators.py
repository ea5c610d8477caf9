"""Asynchronous generators that were left unfinished are closed by a task of the life they began in."""

from __future__ import annotations

import sys
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
        self._lives: dict[int, Life] = {}
        """By the generator's address, which the next one at that address takes over. Weak references would be dead
        by the time that the finalizer is called."""
        self._hooks = sys.get_asyncgen_hooks()

    def install(self) -> None:
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._begun, finalizer=self._left)

    def uninstall(self) -> None:
        sys.set_asyncgen_hooks(*self._hooks)

    def _begun(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._lives[id(generator)] = LIFE.get()

    def _left(self, generator: AsyncGenerator[Any, Any]) -> None:
        life = self._lives.pop(id(generator))
        if not self._loop.is_closed():
            self._loop.close_generator(generator, life)
