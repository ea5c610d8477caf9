"""Why a simulated run ended before its time; each names the place in the code that must change."""

from __future__ import annotations

from atoll.errors import AtollError


class SimulationError(AtollError):
    """The run cannot go on. Raised out of ``run_until_complete``, whatever the code under test may have caught."""


class SimulationLeak(SimulationError):
    """Code reached around its ports for the real world: time, randomness, threads, sockets, files or processes."""


class SimulationDeadlock(SimulationError):
    """Nothing is ready, no timer is set, and the main task still waits; the message says who waits where."""


class SimulationLivelock(SimulationError):
    """Simulated time stands still although tasks keep running; the message names those that run most."""


class SimulationOverrun(SimulationError):
    """The run took more simulated or real time than it may."""
