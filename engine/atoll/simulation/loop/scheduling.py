"""Scheduling policies: which of the handles that are ready runs next.

A policy is asked only when there is a choice, with the handles in the order in which they became ready.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Protocol

from atoll.errors import InvalidConfiguration
from atoll.simulation.limits import PCT_SPIN_MAX, PCT_STEPS
from atoll.simulation.loop.futures import SimulationTask
from atoll.simulation.loop.handles import SimulationHandle, SimulationTimerHandle

Ready = Sequence[SimulationHandle | SimulationTimerHandle]


class Policy(Protocol):
    """Chooses the next handle."""

    def choose(self, ready: Ready) -> int:
        """The index of the handle that runs next; called with at least two."""
        ...


class Uniform:
    """Each is as likely as any other: finds shallow races soonest."""

    def __init__(self, stream: random.Random) -> None:
        self._random = stream.random

    def choose(self, ready: Ready) -> int:
        return int(self._random() * len(ready))


class FirstInFirstOut:
    """What asyncio does."""

    def choose(self, ready: Ready) -> int:  # noqa: ARG002 - the protocol's
        return 0


class Replay:
    """The choices of a recorded run, one after the other; beyond their end, first in first out.

    A choice that is too large for what is ready now takes the last, so that any edited tape can be run.
    """

    def __init__(self, choices: Iterable[int]) -> None:
        self._choices = iter(choices)

    def choose(self, ready: Ready) -> int:
        return min(next(self._choices, 0), len(ready) - 1)


class Priorities:
    """PCT (Burckhardt et al., ASPLOS 2010): strict random priorities, which change at few random moments.

    A lane is a task, or the plain callbacks of one life of a host. The paper draws ``depth - 1`` change points for
    the whole program; here they are drawn anew for every ``PCT_STEPS`` choices, since a run has no known length. A
    lane that was chosen ``PCT_SPIN_MAX`` times on end waits for another by spinning, and steps back.
    """

    def __init__(self, stream: random.Random, depth: int) -> None:
        self._random = stream
        self._depth = depth
        self._priorities: dict[int, float] = {}
        self._lowest = 0.0
        self._step = 0
        self._last_lane = -1
        self._chosen_on_end = 0
        self._changes = self._draw_changes()

    def choose(self, ready: Ready) -> int:
        lanes = [lane_of(handle) for handle in ready]
        index = max(range(len(lanes)), key=lambda i: (self._priority(lanes[i]), -i))
        self._count(lanes[index])
        return index

    def _priority(self, lane: int) -> float:
        priority = self._priorities.get(lane)
        if priority is None:
            priority = self._priorities[lane] = self._random.random()
        return priority

    def _count(self, lane: int) -> None:
        self._chosen_on_end = self._chosen_on_end + 1 if lane == self._last_lane else 1
        self._last_lane = lane
        self._step += 1
        if self._step in self._changes or self._chosen_on_end >= PCT_SPIN_MAX:
            self._lowest -= 1.0
            self._priorities[lane] = self._lowest
            self._chosen_on_end = 0
        if self._step == PCT_STEPS:
            self._step = 0
            self._changes = self._draw_changes()

    def _draw_changes(self) -> frozenset[int]:
        return frozenset(self._random.randint(1, PCT_STEPS) for _ in range(self._depth - 1))


class Recording:
    """Another policy whose choices are written down, for :class:`Replay`."""

    def __init__(self, policy: Policy) -> None:
        self._choose = policy.choose
        self.choices: list[int] = []

    def choose(self, ready: Ready) -> int:
        index = self._choose(ready)
        self.choices.append(index)
        return index


def lane_of(handle: SimulationHandle | SimulationTimerHandle) -> int:
    """The number of the task that the handle steps, or of the life that its callback belongs to."""
    owner = getattr(handle._callback, "__self__", None)
    return owner.number if isinstance(owner, SimulationTask) else handle.life.serial


def policy_of(name: str, stream: random.Random) -> Policy:
    """The policy called ``uniform``, ``fifo`` or ``pct:DEPTH``; raises :class:`InvalidConfiguration` for others."""
    kind, _, depth = name.partition(":")
    if name == "uniform":
        return Uniform(stream)
    if name == "fifo":
        return FirstInFirstOut()
    if kind == "pct" and depth.isascii() and depth.isdigit() and int(depth) > 0:
        return Priorities(stream, int(depth))
    raise InvalidConfiguration(f'scheduling is "uniform", "fifo" or "pct:DEPTH" with a depth from 1, not {name!r}')
