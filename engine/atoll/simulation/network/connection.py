"""One end of a simulated connection, as one process holds it: TCP below, the frames of HTTP/2 above.

A connection is made in two round trips: knock and answer (the machine takes it), preface and settings (the process
does). From then on frames arrive in order. Silence is noticed by keepalive pings, as gRPC's options say; a process
that is paused answers none, though its machine still takes what arrives. A process that dies leaves a machine that
answers with resets, or one without power that answers nothing.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from atoll.limits import KEEPALIVE_SECONDS, KEEPALIVE_TIMEOUT_SECONDS
from atoll.simulation.network.frames import Answer, Farewell, Frame, Knock, Ping, Pong, Preface, Settings
from atoll.simulation.network.pipe import RESET, Pipe
from atoll.simulation.network.way import Way

if TYPE_CHECKING:
    from atoll.simulation.loop.hosts import Host
    from atoll.simulation.network.network import Network

REFUSED = "Failed to connect to remote host: Connection refused"
UNANSWERED_PING = "ping timeout"
_TICK_SECONDS = 0.001


class Owner(Protocol):
    """What a process does with its end. Called while the process runs, never when it is paused or dead."""

    def on_ready(self, end: End) -> None:
        """The connection carries calls from now on."""

    def on_frame(self, end: End, frame: Any) -> None:
        """A frame of a call, or :class:`GoAway`."""

    def on_broken(self, end: End, details: str) -> None:
        """The connection is over. Called once at most, and not after :meth:`End.close`."""


class End:
    """One process's end. ``streams`` are its owner's calls by number, in the order of their beginnings."""

    def __init__(self, network: Network, host: Host, peer_host: Host, address: str) -> None:
        self.network = network
        self.host = host
        self.peer_host = peer_host
        self.address = address
        self.life = host.present
        self.peer: End | None = None
        self.owner: Owner | None = None
        self.streams: dict[int, Any] = {}
        self.is_ready = False
        self.is_over = False
        """Whether this side knows nothing of the connection any more."""
        self.way = Way(network, host, peer_host)
        self._pipe = Pipe(self.way, self._reach_peer, self._give_up)
        self._backlog: deque[Frame] = deque()
        """What the machine has taken for a process that is paused."""
        self._heard_at = network.loop.now()
        self.number = network.next_number()
        network.ends_of(host)[self.number] = self

    # -- for the owner --------------------------------------------------------------------------------------------

    def send(self, frame: Frame) -> None:
        """Send one frame, in order. Nothing happens once the connection is over."""
        if not self.is_over:
            self._pipe.send(frame)

    def close(self, reason: str) -> None:
        """Say farewell and forget the connection. What was sent before still arrives."""
        if not self.is_over:
            self._pipe.send(Farewell(reason))
            self._forget()

    # -- for the network ------------------------------------------------------------------------------------------

    def vanish(self, *, silently: bool) -> None:
        """The process is gone: its machine tells the other side, or has no power to. What has left the machine is on
        its way."""
        on_the_wire_seconds = self._pipe.let_go()
        self._forget()
        if not silently:
            self._reset_peer(RESET, on_the_wire_seconds)

    def break_off(self, details: str) -> None:
        """The connection is over as this machine sees it; its process is told when it runs."""
        if not self.is_over:
            self._pipe.stop()
            self._forget()
            self.network.loop.call_on(self.host, 0.0, self._tell, details)

    def take(self, frame: Frame) -> None:
        """A frame has arrived at this machine."""
        if isinstance(frame, Answer):
            self._pipe.established()
        if self.host.paused or self._backlog:
            self._backlog.append(frame)
            if len(self._backlog) == 1:
                self.network.loop.call_on(self.host, 0.0, self._take_backlog)
        else:
            self._handle(frame)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _reach_peer(self, frame: Frame) -> None:
        if isinstance(frame, Knock):
            self.network.knocked(self, frame.address)
        elif self.peer is None or self.peer.is_over:
            if self.way.back_passes():
                self.way.after(self.way.back.latency_seconds, self.break_off, RESET)
        else:
            self.peer.take(frame)

    def _take_backlog(self) -> None:
        while self._backlog and not self.is_over:
            self._handle(self._backlog.popleft())
        self._backlog.clear()

    def _handle(self, frame: Frame) -> None:
        self._heard_at = self.network.loop.now()
        match frame:
            case Answer():
                self.send(Preface())
            case Preface():
                self._pipe.established()
                self.network.accepted(self)
            case Settings():
                self.become_ready()
            case Ping():
                self.send(Pong())
            case Pong():
                pass
            case Farewell():
                self._pipe.stop()
                self._forget()
                self._tell(frame.reason)
            case _:
                if self.owner is not None:
                    self.owner.on_frame(self, frame)

    def become_ready(self) -> None:
        """Both processes know of the connection; keepalive begins."""
        self.is_ready = True
        self.network.loop.call_on(self.host, KEEPALIVE_SECONDS, self._keep_alive)
        if self.owner is not None:
            self.owner.on_ready(self)

    def _keep_alive(self) -> None:
        if self.is_over:
            return
        silent = self.network.loop.now() - self._heard_at
        if silent < KEEPALIVE_SECONDS:
            left = max(KEEPALIVE_SECONDS - silent, _TICK_SECONDS)  # or rounding would call again at once, for ever
            self.network.loop.call_on(self.host, left, self._keep_alive)
        else:
            self.send(Ping())
            self.network.loop.call_on(self.host, KEEPALIVE_TIMEOUT_SECONDS, self._expect_pong, self._heard_at)

    def _expect_pong(self, heard_at: float) -> None:
        if self.is_over:
            return
        if self._heard_at > heard_at or self._backlog:
            self._keep_alive()
        else:
            self._give_up(UNANSWERED_PING)

    def _give_up(self, details: str) -> None:
        """Called by this side's own patience: the other side is told, if it can be."""
        self._reset_peer(RESET)
        self.break_off(details)

    def _reset_peer(self, details: str, earliest_seconds: float = 0.0) -> None:
        """Nobody repeats a reset that is lost."""
        if self.peer is not None and self.way.passes():
            self.way.after(max(self.way.link.latency_seconds, earliest_seconds), self.peer.break_off, details)

    def _tell(self, details: str) -> None:
        if self.owner is not None:
            self.owner.on_broken(self, details)

    def _forget(self) -> None:
        self.is_over = True
        self.network.ends_of(self.host).pop(self.number, None)
