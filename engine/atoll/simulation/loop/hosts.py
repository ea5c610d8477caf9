"""Hosts: the simulated machines and processes that tasks and timers belong to.

A host has one life after the other. Everything that runs belongs to the life in whose context it was scheduled; a
crash ends the life, and nothing of it ever runs again.
"""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING

from atoll.simulation.loop.clocks import HostClock
from atoll.simulation.loop.entropy import SeededEntropy

if TYPE_CHECKING:
    from atoll.simulation.loop.event_loop import SimulationLoop
    from atoll.simulation.loop.handles import SimulationHandle, SimulationTimerHandle


class Life:
    """One life of a host: from its start to its crash."""

    __slots__ = ("context", "ended", "host", "number", "running", "serial")

    def __init__(self, host: Host, number: int, serial: int) -> None:
        self.host = host
        self.number = number
        self.serial = serial
        """Unique among all lives of the loop, in the order of their beginnings."""
        self.ended = False
        self.running = True
        """Neither ended nor paused: what is scheduled may run."""
        self.context = contextvars.Context()
        """Holds nothing but this life: what the process outside has bound does not leak into a run."""
        self.context.run(LIFE.set, self)


LIFE: contextvars.ContextVar[Life] = contextvars.ContextVar("atoll.simulation.life")
"""The life that the running code belongs to."""


class Host:
    """A simulated process with its own clock. Made by ``SimulationLoop.host``, alive and in its first life."""

    def __init__(self, loop: SimulationLoop, name: str, serial: int) -> None:
        self._loop = loop
        self._serial = serial
        self.name = name
        self.clock = HostClock(loop.now_ns)
        self.paused = False
        self.parked: list[SimulationHandle | SimulationTimerHandle] = []
        """What became due while the host was paused, in the order in which it did."""
        self.present = self._next_life(1)
        self._entropy = SeededEntropy.of(loop.streams, name, 1)

    @property
    def alive(self) -> bool:
        """Whether the present life goes on; a paused host is alive."""
        return not self.present.ended

    @property
    def life(self) -> int:
        """The number of the present life, from 1; after a crash still that of the life that ended."""
        return self.present.number

    @property
    def entropy(self) -> SeededEntropy:
        """The randomness of the present life."""
        return self._entropy

    def start(self) -> None:
        """Begin the next life, with nothing scheduled in it. The clock is the machine's and goes on as it was."""
        assert not self.alive, f"{self.name} is started but still alive"
        self.present = self._next_life(self.present.number + 1)
        self._entropy = SeededEntropy.of(self._loop.streams, self.name, self.life)

    def _next_life(self, number: int) -> Life:
        return Life(self, number, self._loop.next_number())

    def __hash__(self) -> int:
        return self._serial

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        state = "paused" if self.paused else "alive" if self.alive else "dead"
        return f"<Host {self.name} life {self.life} {state}>"
