"""Real time, for saying how long a run took; never seen by what runs."""

from __future__ import annotations

from time import perf_counter


class Stopwatch:
    """Runs from the moment it is made. The clock is taken while real time may still be asked for."""

    __slots__ = ("_began", "_read")

    def __init__(self) -> None:
        self._read = perf_counter
        self._began = perf_counter()

    def seconds(self) -> float:
        """Real seconds so far."""
        return self._read() - self._began
