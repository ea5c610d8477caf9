"""The clock of one host: true time seen through an offset and a drift.

The host's own nanoseconds run piecewise linearly: each change of drift begins a new piece where the last one stood,
so that monotonic time never jumps. Only wall time has an offset, which may change at any moment, in both directions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

NANOSECONDS: Final = 1_000_000_000
EPOCH_MS: Final = 1_767_225_600_000
"""Wall time at the beginning of every run: the first moment of 2026, UTC."""

MILLION: Final = 1_000_000


class HostClock:
    """A :class:`~atoll.ports.Clock`. Host time and true time both begin at 0 with the loop.

    A timer is converted to true time when it is set; a drift that changes later does not move it.
    """

    def __init__(self, true_ns: Callable[[], int]) -> None:
        self._true_ns = true_ns
        self._piece_true_ns = 0
        self._piece_own_ns = 0
        self._drift_ppm = 0
        self._offset_ms = 0

    def wall_ms(self) -> int:
        return EPOCH_MS + self.own_ns() // MILLION + self._offset_ms

    def monotonic(self) -> float:
        return self.own_ns() / NANOSECONDS

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def alarm(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        return asyncio.get_running_loop().call_later(seconds, callback).cancel

    @property
    def offset_ms(self) -> int:
        return self._offset_ms

    @property
    def drift_ppm(self) -> int:
        return self._drift_ppm

    def set_offset_ms(self, offset_ms: float) -> None:
        """Let wall time jump, so that it is ``offset_ms`` off what the drift alone would have made of it."""
        self._offset_ms = round(offset_ms)

    def set_drift_ppm(self, drift_ppm: float) -> None:
        """Run fast (positive) or slow by this many microseconds a second, from now on; the error so far stays."""
        assert drift_ppm > -MILLION, f"a clock with a drift of {drift_ppm} ppm stands still"
        self._piece_own_ns = self.own_ns()
        self._piece_true_ns = self._true_ns()
        self._drift_ppm = round(drift_ppm)

    def error_ms(self) -> int:
        """How far wall time is ahead of the truth: the offset and what the drift has added up to."""
        return self.wall_ms() - EPOCH_MS - self._true_ns() // MILLION

    def own_ns(self) -> int:
        """Nanoseconds on this clock since the loop began."""
        elapsed = self._true_ns() - self._piece_true_ns
        if self._drift_ppm:
            elapsed += elapsed * self._drift_ppm // MILLION
        return self._piece_own_ns + elapsed

    def true_duration_ns(self, own_seconds: float) -> int:
        """True nanoseconds until so much has passed on this clock."""
        own_ns = whole_ns(own_seconds)
        return own_ns if not self._drift_ppm else -(-own_ns * MILLION // (MILLION + self._drift_ppm))

    def true_moment_ns(self, own_seconds: float) -> int:
        """The first true nanosecond at which :meth:`monotonic` has reached ``own_seconds``, if the drift stays."""
        own_ns = round(own_seconds * NANOSECONDS)
        if own_ns / NANOSECONDS < own_seconds:
            own_ns += 1
        if not self._drift_ppm:
            return self._piece_true_ns + own_ns - self._piece_own_ns
        return self._piece_true_ns - (self._piece_own_ns - own_ns) * MILLION // (MILLION + self._drift_ppm)


def whole_ns(seconds: float) -> int:
    """A wait in nanoseconds: more than 0 if ``seconds`` is, so that code that waits for what is left gets on."""
    return (round(seconds * NANOSECONDS) or 1) if seconds > 0 else 0
