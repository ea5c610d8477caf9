"""A hybrid logical clock: timestamps that follow the wall clock and never contradict causality.

Kulkarni et al., *Logical Physical Clocks* (2014). With the packed form of :mod:`atoll.instant` the rule "same wall
part: count up; later wall part: start at zero" is one maximum, and a logical counter that overflows carries into the
wall part by itself. Only the future is guarded: an old timestamp is always welcome, or catching up would fail.
"""

from __future__ import annotations

from collections.abc import Callable

from atoll.errors import ClockTooFarAhead
from atoll.instant import LOGICAL_BITS, ZERO, Timestamp, wall_ms
from atoll.limits import CLOCK_AHEAD_MAX_MS


class HybridClock:
    """Mints timestamps; each is greater than all it minted or observed before, and than ``floor`` (promise I14)."""

    __slots__ = ("_last", "_read_wall_ms")

    def __init__(self, read_wall_ms: Callable[[], int], floor: Timestamp = ZERO) -> None:
        """``floor`` is the bound that was persisted ahead before the last stop, so that a restart cannot go back."""
        self._read_wall_ms = read_wall_ms
        self._last = floor

    @property
    def last(self) -> Timestamp:
        """The greatest timestamp minted or observed so far; the next :meth:`tick` is greater."""
        return self._last

    def tick(self) -> Timestamp:
        """A fresh timestamp for a local event."""
        self._last = Timestamp(max(self._read_wall_ms() << LOGICAL_BITS, self._last + 1))
        return self._last

    def observe(self, remote: Timestamp, now_ms: int | None = None) -> None:
        """Make the next tick greater than ``remote``.

        Raises :class:`ClockTooFarAhead`, and changes nothing, if ``remote`` is more than ``CLOCK_AHEAD_MAX_MS``
        in the future of the local wall clock: ``now_ms``, where the clock that ticks may stand still.
        """
        if remote <= self._last:
            return
        ahead_ms = wall_ms(remote) - (self._read_wall_ms() if now_ms is None else now_ms)
        if ahead_ms > CLOCK_AHEAD_MAX_MS:
            raise ClockTooFarAhead(
                f"a timestamp is {ahead_ms} ms ahead of this node's clock, more than the {CLOCK_AHEAD_MAX_MS} ms "
                "allowed; compare the clocks of both nodes (NTP) before accepting its writes"
            )
        self._last = remote
