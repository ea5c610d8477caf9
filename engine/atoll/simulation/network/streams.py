"""One end of a stream inside a connection: messages out under a window, messages in until they are read.

A writer waits while the other side has a window's worth unread, so that nothing piles up without bound. The window
starts small and doubles while the reader keeps up with a full one, as gRPC's estimate of the bandwidth does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from atoll.limits import MESSAGE_BYTES_MAX
from atoll.simulation.limits import MESSAGE_OVERHEAD_BYTES, STREAM_WINDOW_BYTES_MAX, STREAM_WINDOW_BYTES_MIN
from atoll.simulation.network.chaos import Tamper
from atoll.simulation.network.frames import Cancel, Credit, HalfClose, Message, Metadata, Open, Status, Trailers

if TYPE_CHECKING:
    from atoll.simulation.network.connection import End


class StreamBroken(Exception):
    """A message cannot be sent: the stream is over."""


class TooLarge(Exception):
    """A message of more than ``MESSAGE_BYTES_MAX``, in gRPC's words."""


def check_size(payload: bytes) -> None:
    """Raises :class:`TooLarge`."""
    if len(payload) > MESSAGE_BYTES_MAX:
        raise TooLarge(f"Sent message larger than max ({len(payload)} vs. {MESSAGE_BYTES_MAX})")


class Stream:
    """One side of one call. It knows nothing of statuses: ``close`` is called by who does."""

    def __init__(self, end: End, number: int, method: str) -> None:
        self.end = end
        self.number = number
        self.method = method
        self._network = end.network
        self._out = STREAM_WINDOW_BYTES_MIN
        self._in_window = STREAM_WINDOW_BYTES_MIN
        self._read_bytes = 0
        self._measured_since = end.network.loop.now()
        self._measured_bytes = 0
        self._is_limited = False
        self._incoming: deque[bytes] = deque()
        self._complete = False
        """Whether no message will come any more."""
        self._closed = False
        self._reader: asyncio.Future[None] | None = None
        self._writers: deque[asyncio.Future[None]] = deque()
        self._tamper = Tamper(end.network, end.way.back)

    # -- sending --------------------------------------------------------------------------------------------------

    async def send(self, payload: bytes) -> None:
        """Send one message; waits while the window is spent. Raises :class:`StreamBroken`, :class:`TooLarge`."""
        check_size(payload)
        while self._out <= 0 and not self._closed:
            writer = self._network.loop.create_future()
            self._writers.append(writer)
            try:
                await writer
            finally:
                if writer in self._writers:
                    self._writers.remove(writer)
        if self._closed or self.end.is_over:
            raise StreamBroken
        self._out -= weight(payload)
        self.end.send(Message(self.number, payload, self._network.sending(self.end, self.method, payload)))
        if self._out > 0:
            self._wake_writer()

    def open(self, timeout_seconds: float | None, metadata: Metadata, request: bytes | None) -> None:
        """Begin the call; a single request comes along."""
        if request is not None:
            self._network.sending(self.end, self.method, request)
        self.end.send(Open(self.number, self.method, timeout_seconds, metadata, request))

    def finish(self) -> None:
        """No more messages from here."""
        self.end.send(HalfClose(self.number))

    def end_with(self, status: Status, response: bytes | None) -> None:
        """The server's last word."""
        if response is not None:
            self._network.sending(self.end, self.method, response)
        self.end.send(Trailers(self.number, status, response))

    def cancel(self) -> None:
        """The client gives the call up; what has arrived is not wanted any more."""
        self._incoming.clear()
        self.end.send(Cancel(self.number))

    # -- receiving ------------------------------------------------------------------------------------------------

    async def receive(self) -> bytes | None:
        """The next message; ``None`` when none will come. One task at a time."""
        while not self._incoming and not self._complete:
            self._reader = self._network.loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self.take() if self._incoming else None

    def take(self) -> bytes:
        """The next of the messages that are here."""
        payload = self._incoming.popleft()
        self._read_bytes += weight(payload)
        self._grant()
        return payload

    @property
    def unread(self) -> int:
        """Messages that have arrived and were not read."""
        return len(self._incoming)

    def feed(self, message: Message) -> None:
        """A message has arrived."""
        self._network.delivered(self.end, self.method, message.number)
        self._measure(weight(message.payload))
        arrived = self._tamper.pass_on(message.payload)
        self._read_bytes += weight(message.payload) - sum(map(weight, arrived))
        self._incoming.extend(arrived)
        self._grant()
        self._wake_reader()

    def credit(self, size_bytes: int) -> None:
        """The other side has read."""
        self._out += size_bytes
        self._wake_writer()

    def complete(self) -> None:
        """No message will come any more; those that are here can still be read."""
        self._incoming.extend(self._tamper.rest())
        self._complete = True
        self._wake_reader()

    def close(self) -> None:
        """Nothing can be sent any more, and nothing will come."""
        self._closed = True
        self.complete()
        while self._writers:
            self._wake_writer()

    # -- inside ---------------------------------------------------------------------------------------------------

    def _measure(self, size_bytes: int) -> None:
        """Notice when most of a window arrives within a round trip: then the window is what limits the stream."""
        now = self._network.loop.now()
        if now - self._measured_since > self.end.way.link.round_trip_seconds:
            self._measured_since, self._measured_bytes = now, 0
        self._measured_bytes += size_bytes
        if 3 * self._measured_bytes >= 2 * self._in_window:
            self._is_limited = True

    def _grant(self) -> None:
        """Once half a window was read, tell the sender, and let more be on its way if that would help."""
        if self._read_bytes < self._in_window // 2:
            return
        more = 0
        if self._is_limited and self._in_window < STREAM_WINDOW_BYTES_MAX:
            more = self._in_window
            self._in_window *= 2
        self._is_limited = False
        if not self._complete:
            self.end.send(Credit(self.number, self._read_bytes + more))
        self._read_bytes = 0

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _wake_writer(self) -> None:
        while self._writers:
            writer = self._writers.popleft()
            if not writer.done():
                writer.set_result(None)
                return


def weight(payload: bytes) -> int:
    """What a message takes of a window: an empty one is not free."""
    return len(payload) + MESSAGE_OVERHEAD_BYTES
