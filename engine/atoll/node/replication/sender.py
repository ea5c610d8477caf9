"""The sender's side: serves the streams that peers pull (promises I5, I8, I11)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

from atoll.errors import Overloaded, Unavailable, WrongRing
from atoll.ids import RegionName
from atoll.limits import STREAMS_PER_PEER_MAX
from atoll.node.channel import Closed
from atoll.node.replication.captured import CapturedNumbers
from atoll.node.replication.outgoing import OutgoingStream
from atoll.node.replication.site import Site
from atoll.node.waiting import cancel_and_wait
from atoll.replication.messages import WIRE_VERSION, Acknowledgement, Hello, StreamMessage


class PullServer:
    """Serves pulls of all peers."""

    def __init__(
        self, site: Site, captured: CapturedNumbers, on_pull: Callable[[RegionName], None] = lambda _: None
    ) -> None:
        """``on_pull`` is told of each peer that dials and is let in."""
        self._site = site
        self._on_pull = on_pull
        self._captured = captured
        self._streams: Counter[RegionName] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def serve(
        self, hello: Hello, acknowledgements: AsyncIterator[Acknowledgement]
    ) -> AsyncIterator[StreamMessage]:
        """One stream: a heartbeat at once, batches from where ``hello`` stands, heartbeats, until the peer leaves.

        Raises :class:`WrongRing` for a stranger, :class:`~atoll.errors.Unavailable` while a drill cuts the peer off,
        :class:`Overloaded` when the peer has too many streams, :class:`~atoll.errors.PeerError` when it breaks
        the protocol. Ends cleanly when the peer does. Closing the iterator leaves nothing behind.
        """
        self._check(hello)
        self._on_pull(hello.region)
        stream = OutgoingStream(self._site, self._captured, hello, acknowledgements)
        task = asyncio.get_running_loop().create_task(stream.run(), name=f"replication to {hello.region}")
        self._streams[hello.region] += 1
        self._tasks.add(task)
        try:
            while True:
                yield await stream.outlet.get()
        except Closed as closed:
            if closed.__cause__ is not None:
                raise closed.__cause__ from None
        finally:
            stream.outlet.close()
            await cancel_and_wait(task)
            self._tasks.discard(task)
            self._streams[hello.region] -= 1

    async def close(self) -> None:
        """End all streams and refuse new ones; their peers dial another node, or this one when it is back."""
        self._closed = True
        await cancel_and_wait(*self._tasks)

    def _check(self, hello: Hello) -> None:
        own = self._site
        if hello.ring != own.topology.ring:
            raise WrongRing(f"this is ring {own.topology.ring!r}, not {hello.ring!r}")
        if hello.wire_version != WIRE_VERSION:
            raise WrongRing(f"this node speaks wire version {WIRE_VERSION}, not {hello.wire_version}")
        if hello.region not in own.topology.peers(own.region):
            raise WrongRing(f"region {hello.region!r} is not a peer of {own.region} in ring {own.topology.ring!r}")
        own.drill.check(hello.region)
        if self._closed:
            raise Unavailable(f"this node of {own.region} is stopping")
        if self._streams[hello.region] >= STREAMS_PER_PEER_MAX:
            raise Overloaded(
                f"{hello.region} has {STREAMS_PER_PEER_MAX} replication streams open to this node: close some"
            )
