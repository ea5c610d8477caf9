"""A proxy on the way between two real processes: a TCP connection on each side, simulated cables in the middle.

What a process writes is read in pieces, carried by a :class:`~atoll.simulation.network.pipe.Pipe`, and written to the
other side when it would have arrived. A connection is made as over a distance: a knock, an answer, and only then is
read what the dialling process has written. A side that has been given up breaks with a reset; the other side learns
of it when the road allows, or by what it sends. Beyond a window no more is read: the sender's kernel makes it wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Any, cast

from atoll.postgres.launcher.settings import HOST
from atoll.simulation.limits import STREAM_WINDOW_BYTES_MAX
from atoll.simulation.network.frames import Answer, Farewell, Frame, Knock, Message
from atoll.simulation.network.pipe import Pipe, Road

_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: the peer is told by a reset, not by a farewell."""


class Proxy:
    """Listens for one target. ``outward`` leads from those who dial to the target, ``homeward`` back."""

    def __init__(self, target: str, *, outward: Road, homeward: Road) -> None:
        self.target = target
        self.outward = outward
        self.homeward = homeward
        self.pieces = 0
        self.bytes_carried = 0
        self.sides: dict[int, Side] = {}
        """The ends of all connections that are not over, in the order in which they were made."""
        self.tasks: set[asyncio.Task[None]] = set()
        self._numbers = 0
        self._server: asyncio.Server | None = None

    async def listen(self) -> str:
        """Listen on a free loopback port; returns ``host:port``."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Side(self, self.outward), HOST, 0)
        return f"{HOST}:{self._server.sockets[0].getsockname()[1]}"

    def reset(self) -> int:
        """Break every connection on both sides at once; returns how many ends there were."""
        sides = list(self.sides.values())
        for side in sides:
            side.break_off()
        return len(sides)

    async def close(self) -> None:
        """Break everything and stop listening."""
        self.reset()
        for task in self.tasks:
            task.cancel()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def enter(self, side: Side) -> int:
        """A side begins; returns its number."""
        self._numbers += 1
        self.sides[self._numbers] = side
        return self._numbers

    def dial(self, near: Side) -> None:
        """Reach the target for a connection whose first packet has arrived."""
        task = asyncio.get_running_loop().create_task(self._dial(near))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _dial(self, near: Side) -> None:
        host, _, port = self.target.rpartition(":")
        far = Side(self, self.homeward)
        try:
            await asyncio.get_running_loop().create_connection(lambda: far, host, int(port))
        except OSError:  # nobody listens there: the machine says so
            if self.homeward.passes():
                self.homeward.after(self.homeward.link.latency_seconds, near.break_off)
            return
        if near.is_over:  # it has gone meanwhile
            far.break_off()
            return
        near.peer, far.peer = far, near
        far.pipe.send(Answer())
        far.read()


class Side(asyncio.Protocol):
    """One end of a connection: the socket of one process, and the pipe that carries what the process writes."""

    def __init__(self, proxy: Proxy, road: Road) -> None:
        self.peer: Side | None = None
        self.pipe = Pipe(road, self._arrived, self._given_up)
        self.is_over = False
        self._proxy = proxy
        self._road = road
        self._dials = road is proxy.outward
        self._transport: asyncio.Transport | None = None
        self._number = 0
        self._bytes_under_way = 0
        self._may_read = False
        self._peer_is_full = False

    # -- the socket -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._number = self._proxy.enter(self)
        if self._dials:
            self._transport.pause_reading()
            self.pipe.send(Knock(self._proxy.target))

    def data_received(self, data: bytes) -> None:
        self._proxy.pieces += 1
        self._proxy.bytes_carried += len(data)
        self._bytes_under_way += len(data)
        self.pipe.send(Message(0, data, self._proxy.pieces))
        self._read_or_wait()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        if not self.is_over:  # the process has closed it, or is dead: its machine says so for it
            self.pipe.send(Farewell(""))
            self._forget()

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer.hold(True)

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer.hold(False)

    # -- reading --------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """The connection stands: read what the process writes."""
        self._may_read = True
        self._read_or_wait()

    def hold(self, is_full: bool) -> None:
        """Whether the process on the other side takes no more at the moment."""
        self._peer_is_full = is_full
        self._read_or_wait()

    def _read_or_wait(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        is_full = self._peer_is_full or self._bytes_under_way > STREAM_WINDOW_BYTES_MAX
        if self._may_read and not is_full:
            transport.resume_reading()
        else:
            transport.pause_reading()

    # -- the pipe -------------------------------------------------------------------------------------------------

    def _arrived(self, frame: Frame) -> None:
        """A frame of this side has arrived at the other side's machine."""
        match frame:
            case Knock():
                self._proxy.dial(self)
            case Answer() if self.peer is not None:
                self.peer.pipe.established()
                self.peer.read()
            case Message(payload=payload):
                self.pipe.established()
                self._bytes_under_way -= len(payload)
                self._read_or_wait()
                self._reach_peer(payload)
            case Farewell() if self.peer is not None:
                self.peer.hang_up()
            case _:
                pass

    def _reach_peer(self, payload: bytes) -> None:
        if self.peer is not None and not self.peer.is_over:
            self.peer.take(payload)
        elif self._road.back_passes():  # that machine knows nothing of the connection any more
            self._road.after(self._road.back.latency_seconds, self.break_off)

    def take(self, payload: bytes) -> None:
        """Hand the process what has arrived for it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(payload)

    def hang_up(self) -> None:
        """The other process has closed the connection in order, or died."""
        if not self.is_over and self._transport is not None:
            self.pipe.stop()
            self._forget()
            self._transport.close()

    def break_off(self) -> None:
        """The connection is over as this machine sees it: the process gets a reset."""
        if self.is_over:
            return
        self.pipe.stop()
        self._forget()
        if self._transport is not None:
            raw: Any = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            self._transport.abort()

    def _given_up(self, reason: str) -> None:  # noqa: ARG002 (the pipe says why; the process only sees a reset)
        """This machine's patience has ended: the other side is told, if it can be."""
        if self.peer is not None and self._road.passes():
            self._road.after(self._road.link.latency_seconds, self.peer.break_off)
        self.break_off()

    def _forget(self) -> None:
        self.is_over = True
        self._proxy.sides.pop(self._number, None)
