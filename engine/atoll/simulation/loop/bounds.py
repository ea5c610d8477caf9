"""The bounds of a run: no livelock, no run without end, and a person's patience."""

from __future__ import annotations

from dataclasses import dataclass

from atoll.simulation import limits
from atoll.simulation.loop.clocks import NANOSECONDS
from atoll.simulation.loop.errors import SimulationLivelock, SimulationOverrun
from atoll.simulation.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far one run may go. All are looked at once a round, so that a run ends a little beyond them."""

    steps_per_instant: int = limits.STEPS_PER_INSTANT_MAX
    simulated_seconds: float = limits.SIMULATED_SECONDS_MAX
    real_seconds: float = limits.REAL_SECONDS_MAX
    """Only ends a run, never changes one."""


class Watch:
    """Looks at a run once a round."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._stopwatch = Stopwatch()
        self._instant_ns = -1
        self._steps = 0

    def look(self, true_ns: int) -> None:
        """Called after each round with the time; raises when simulated or real time is up."""
        if true_ns != self._instant_ns:
            self._instant_ns = true_ns
            self._steps = 0
        self._steps += limits.STEPS_PER_ROUND
        if true_ns > self._bounds.simulated_seconds * NANOSECONDS:
            raise SimulationOverrun(f"the run is not over after {self._bounds.simulated_seconds} simulated seconds")
        if self._stopwatch.seconds() > self._bounds.real_seconds:
            raise SimulationOverrun(
                f"the run is not over after {self._bounds.real_seconds} real seconds, "
                f"at {true_ns / NANOSECONDS:.3f} simulated ones"
            )

    @property
    def is_stuck(self) -> bool:
        """Whether time has stood still for too many steps."""
        return self._steps > self._bounds.steps_per_instant

    def livelock(self, busiest: str) -> SimulationLivelock:
        """The error for it; ``busiest`` says who ran most."""
        return SimulationLivelock(
            f"time stands still at {self._instant_ns / NANOSECONDS:.6f} s after {self._steps} steps, "
            f"most often of:\n{busiest}"
        )
