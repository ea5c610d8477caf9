"""Waiting longer after each failure, with full jitter, so that a healed link is not met by a storm."""

from __future__ import annotations

from dataclasses import dataclass

from atoll.limits import BACKOFF_SECONDS_MAX, BACKOFF_SECONDS_MIN


@dataclass(frozen=True, slots=True)
class Backoff:
    """How many attempts have failed in a row. The shell draws the delay between 0 and :attr:`ceiling_seconds`."""

    failures: int = 0
    floor_seconds: float = BACKOFF_SECONDS_MIN
    cap_seconds: float = BACKOFF_SECONDS_MAX

    @property
    def ceiling_seconds(self) -> float:
        """The longest delay before the next attempt; doubles with each failure up to the cap."""
        doublings = min(self.failures, 32)
        return min(self.cap_seconds, self.floor_seconds * float(1 << doublings))

    def failed(self) -> Backoff:
        """One more failure."""
        return Backoff(self.failures + 1, self.floor_seconds, self.cap_seconds)

    def succeeded(self) -> Backoff:
        """The next failure counts as the first."""
        return Backoff(0, self.floor_seconds, self.cap_seconds)
