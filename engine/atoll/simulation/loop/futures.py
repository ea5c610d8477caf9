"""Tasks and futures whose hash is a count.

``asyncio.wait``, ``TaskGroup`` and ``as_completed`` keep *sets* of tasks. By default these are ordered by memory
address, another one in each process. A count of creations makes their order, and so the run, repeatable; equality
stays identity.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from atoll.simulation.loop.hosts import Life

if TYPE_CHECKING:
    from atoll.simulation.loop.event_loop import SimulationLoop

T = TypeVar("T")


class SimulationFuture(asyncio.Future[T]):
    """A future; its number is drawn when it is first hashed, for most never are."""

    __slots__ = ("number",)
    number: int

    def __hash__(self) -> int:
        try:
            return self.number
        except AttributeError:
            self.number = simulation_of(self).next_number()
            return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimulationTask(asyncio.Task[T]):
    """A task of one life of a host. ``number`` is drawn when asyncio registers it."""

    __slots__ = ("life", "number")
    life: Life
    number: int

    def __hash__(self) -> int:
        try:
            return self.number
        except AttributeError:
            self.number = simulation_of(self).next_number()
            return self.number

    def __eq__(self, other: object) -> bool:
        return self is other

    def set_name(self, value: object, /) -> None:
        super().set_name(value)
        simulation_of(self).trace.label(self.number, self.get_name())


def simulation_of(future: asyncio.Future[Any]) -> SimulationLoop:
    loop: Any = future.get_loop()
    simulation: SimulationLoop = loop
    return simulation
