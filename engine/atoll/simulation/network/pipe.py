"""One direction of a simulated TCP connection: what is sent arrives once, in order, late, or not at all.

A frame that a cut swallowed is sent again after a patience that doubles each time, and everything behind it waits.
When nothing was acknowledged for ``TCP_USER_TIMEOUT`` the sender gives the connection up; acknowledgements need the
way back, so that a cut of one direction silences both. gRPC sets that to its keepalive timeout (proposal A18).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from atoll.limits import KEEPALIVE_TIMEOUT_SECONDS
from atoll.simulation.limits import CONNECT_RETRANSMIT_SECONDS, JITTER_HOLD_SECONDS, RETRANSMIT_SECONDS_MIN
from atoll.simulation.network.frames import Frame, wire_bytes

if TYPE_CHECKING:
    from atoll.simulation.network.links import Link

UNHEARD_SECONDS_MAX: Final = KEEPALIVE_TIMEOUT_SECONDS
TIMED_OUT: Final = "recvmsg:Connection timed out"
RESET: Final = "recvmsg:Connection reset by peer"


class Road(Protocol):
    """What lies between two machines: a simulated :class:`~atoll.simulation.network.way.Way`, or one that is kept in
    real time between real processes."""

    @property
    def link(self) -> Link:
        """The way there."""

    @property
    def back(self) -> Link:
        """And back."""

    def now(self) -> float:
        """Seconds by one clock for all roads."""

    def passes(self) -> bool:
        """Whether a packet that is sent now gets across."""

    def arrives(self) -> bool:
        """Whether a packet that is on its way gets across."""

    def back_passes(self) -> bool:
        """Whether its acknowledgement does."""

    def after(self, seconds: float, callback: Callable[..., None], *args: Any) -> None:
        """Call back after so many seconds."""

    def dropped(self, frame: Frame) -> None:
        """A frame was swallowed."""


class Pipe:
    """Carries frames over a :class:`Road`. ``deliver`` is called once a frame, in order; ``broken`` once at most."""

    def __init__(self, way: Road, deliver: Callable[[Frame], None], broken: Callable[[str], None]) -> None:
        self._way = way
        self._deliver = deliver
        self._broken = broken
        self._unread: deque[tuple[Frame, float]] = deque()
        """Frames that have not arrived, with the time at which they were first sent."""
        self._epoch = way.link.epoch
        """What was sent in another epoch of the link is lost."""
        self._attempt = 0
        """Arrivals of earlier attempts to send the same frames do not count."""
        self._arrives_at = 0.0
        self._stalled = False
        """Whether what is sent has to wait until the sender tries again."""
        self._unheard_since: float | None = None
        """When the oldest frame was sent of those whose acknowledgement is late."""
        self._patience = CONNECT_RETRANSMIT_SECONDS
        self._jitter = 0.0
        self._jitter_until = -1.0
        self._tries = 0
        """Only the timer that was set last counts."""
        self._stopped = False
        self._let_go = False

    def send(self, frame: Frame) -> None:
        """Hand one frame to the kernel; it never waits (streams have windows of their own)."""
        if self._stopped or self._let_go:
            return
        if self._way.link.rejects:
            self.stop()
            self._way.after(0.0, self._broken, RESET)
            return
        now = self._way.now()
        self._unread.append((frame, now))
        if not self._stalled:
            self._transmit(frame, now)

    def stop(self) -> None:
        """Forget everything: nothing arrives any more, nothing breaks."""
        self._stopped = True
        self._unread.clear()

    def let_go(self) -> float:
        """Nobody sends any more, nor again; what is on the wire goes on. Returns how many seconds it still takes."""
        self._let_go = True
        if self._stalled:
            self.stop()
        return max(0.0, self._arrives_at - self._way.now())

    def established(self) -> None:
        """The round trip is known from now on."""
        self._patience = self._usual_patience()

    # -- sending --------------------------------------------------------------------------------------------------

    def _transmit(self, frame: Frame, now: float) -> None:
        way = self._way
        if len(self._unread) == 1:
            self._epoch = way.link.epoch  # nothing is under way: the past does not matter
        delay = self._delay_seconds(frame, now) if way.passes() and self._epoch == way.link.epoch else None
        if delay is None:
            self._lose(frame)
        else:
            self._arrives_at = max(self._arrives_at, now + delay)
            way.after(self._arrives_at - now, self._arrive, self._attempt)

    def _delay_seconds(self, frame: Frame, now: float) -> float | None:
        link = self._way.link
        if now >= self._jitter_until:
            self._jitter = link.jitter_seconds()
            self._jitter_until = now + JITTER_HOLD_SECONDS
        return link.transit_seconds(now, wire_bytes(frame), self._jitter)

    def _arrive(self, attempt: int) -> None:
        """The time of the first frame has come (those due at one instant are called in any order)."""
        if self._stopped or attempt != self._attempt:
            return
        way = self._way
        if self._epoch != way.link.epoch or not way.arrives():
            self._lose(self._unread[0][0])
            return
        frame, sent_at = self._unread.popleft()
        if not way.back_passes() and not self._let_go:
            self._listen(sent_at)
        self._deliver(frame)

    # -- silence --------------------------------------------------------------------------------------------------

    def _lose(self, frame: Frame) -> None:
        """Something on its way was swallowed: what is behind it will have to be sent again, too."""
        self._way.dropped(frame)
        if self._let_go:
            self.stop()
            return
        self._stalled = True
        self._attempt += 1
        self._listen(self._unread[0][1], renew=True)

    def _listen(self, sent_at: float, renew: bool = False) -> None:
        """From now on try again and again, until the other side is heard or given up."""
        if self._unheard_since is None:
            self._unheard_since = sent_at
        elif not renew:
            return
        self._try_again_after(sent_at)

    def _try_again_after(self, since: float) -> None:
        assert self._unheard_since is not None
        due = min(since + self._patience, self._unheard_since + UNHEARD_SECONDS_MAX)
        self._patience *= 2
        self._tries += 1
        self._way.after(due - self._way.now(), self._try_again, self._tries)

    def _try_again(self, number: int) -> None:
        if self._stopped or self._let_go or number != self._tries:
            return
        way, now = self._way, self._way.now()
        assert self._unheard_since is not None
        heard = way.passes() and way.back_passes()
        if not heard and now >= self._unheard_since + UNHEARD_SECONDS_MAX:
            self.stop()
            self._broken(TIMED_OUT)
            return
        if heard:
            self._unheard_since = None
            self._patience = self._usual_patience()
        if self._stalled and way.passes():
            self._send_again(now)
        if self._unheard_since is not None and number == self._tries:
            self._try_again_after(now)

    def _send_again(self, now: float) -> None:
        self._stalled = False
        self._epoch = self._way.link.epoch
        self._arrives_at = now
        for frame, _ in list(self._unread):
            if not self._stalled:
                self._transmit(frame, now)

    def _usual_patience(self) -> float:
        return self._way.link.round_trip_seconds + RETRANSMIT_SECONDS_MIN
