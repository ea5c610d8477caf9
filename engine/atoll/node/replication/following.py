"""One shard's batches on their way to one peer.

A :class:`Follower` sends the captured batches after a given one, in order, each only while the peer's window has
room, and of each only the rows of zones the peer may hold: the storage is asked for these ranges alone, and every
row is looked at again before it leaves (promise I8). The batch itself always goes, so that cuts keep growing. When
the shard does not answer, the follower goes on later at the very frame it had come to; other shards are not held up.

A peer with several nodes acknowledges by any of them, so the log may be collected beyond where a slow node's stream
stands. That stream ends: the node asks its own shards how far they have come, and dials again from there.
"""

from __future__ import annotations

from collections.abc import Callable

from atoll.errors import AtollError, Unavailable
from atoll.ids import RegionName
from atoll.limits import BATCHES_PER_READ, LINK_WINDOW_BYTES
from atoll.node.channel import Channel
from atoll.node.replication.captured import CapturedNumbers
from atoll.node.replication.site import Site
from atoll.node.restarting import Trouble
from atoll.node.waiting import Bell, closing_at_once
from atoll.ports import Batch, ShardStore
from atoll.replication.frames import FrameCutter
from atoll.replication.messages import BatchPart, StreamMessage
from atoll.replication.residency import ZoneSet
from atoll.replication.window import Window


class _Collected(Exception):
    """The log no longer holds what the stream would send next: trying again would never bring it back."""


class Follower:
    """Sends one shard to one peer. :meth:`run` is a task that ends with the channel, or when the stream must begin
    again; :meth:`acknowledged` is called as the peer makes progress."""

    def __init__(
        self,
        site: Site,
        store: ShardStore,
        zones: ZoneSet,
        after: int,
        outlet: Channel[StreamMessage],
        captured: CapturedNumbers,
        on_confirmed: Callable[[], None],
    ) -> None:
        """``on_confirmed`` is called whenever :attr:`confirmed` may have grown."""
        self._site = site
        self._store = store
        self._origin = store.identity.origin
        self._zones = zones
        self._ranges = zones.ranges()
        self._outlet = outlet
        self._captured = captured
        self._window = Window(LINK_WINDOW_BYTES)
        self._room = Bell()
        self._after = after
        self._frames_out = 0
        self._claimed = after
        self._confirmed = 0
        self._verified = False
        self._on_confirmed = on_confirmed
        self._trouble = Trouble("sending to a peer", shard=self._origin.shard, peer=zones.region)
        self._sent_bytes = site.metrics.sent_bytes.labels(zones.region)
        self._unacknowledged = site.metrics.unacknowledged.labels(zones.region, self._origin.shard)

    @property
    def peer(self) -> RegionName:
        return self._zones.region

    @property
    def confirmed(self) -> int:
        """The last batch that the peer has made durable; 0 until its claim was held against the shard's history, so
        that a peer that is ahead of it never moves retention (promise I11)."""
        return self._confirmed

    @property
    def sent(self) -> int:
        """The last batch that was sent whole: the peer cannot have applied more."""
        return self._after

    def acknowledged(self, number: int) -> None:
        """The peer has made everything up to ``number`` durable."""
        self._claimed = max(self._claimed, number)
        if self._verified:
            self._confirm()

    def _confirm(self) -> None:
        self._confirmed = self._claimed
        self._on_confirmed()
        self._window.acknowledged(self._confirmed)
        self._unacknowledged.set(self._window.in_flight_batches)
        self._room.ring()

    async def run(self) -> None:
        """Follow the shard until the channel is closed, which raises :class:`~atoll.node.channel.Closed`.

        Raises :class:`Unavailable` when the next batch has been collected: the stream must begin again.
        """
        while True:
            try:
                await self._check_history()
                while True:
                    await self._follow()
            except _Collected as collected:
                raise Unavailable(str(collected)) from None
            except AtollError as error:
                await self._site.clock.sleep(self._site.entropy.uniform(0, self._trouble.failed(error)))

    async def _check_history(self) -> None:
        captured = (await self._store.progress()).captured
        self._captured.note(self._origin.shard, captured)
        if self._after > captured:
            raise Unavailable(
                f"{self.peer} has applied batch {self._after} of {self._origin}, which ends at {captured}: the shard "
                "was restored from an older copy; it needs a new incarnation before it may be followed"
            )
        self._verified = True
        self._confirm()

    async def _follow(self) -> None:
        await self._captured.wait_above(self._origin.shard, self._after)
        batches = await self._store.batches(self._after, BATCHES_PER_READ)
        for batch in batches:
            if batch.number != self._after + 1:
                raise _Collected(
                    f"{self.peer} needs batch {self._after + 1} of {self._origin}, but the log begins at "
                    f"{batch.number}: another node of {self.peer} has acknowledged what is missing, and this stream "
                    "begins again; if this is told again and again, the peer must be built anew from a snapshot"
                )
            await self._wait_for_room()
            await self._send(batch)
        self._trouble.mended()

    async def _wait_for_room(self) -> None:
        while not self._window.has_room:
            await self._room.wait(self._room.ticket())

    async def _send(self, batch: Batch) -> None:
        cutter = FrameCutter(f"batch {batch.number} of {self._origin}", self._zones)
        index = 0
        if batch.records:
            async with closing_at_once(self._store.batch_rows(batch.number, self._ranges)) as pieces:
                async for piece in pieces:
                    for payload in cutter.add(piece):
                        await self._emit(index, _part(batch, payload))
                        index += 1
        last = _part(batch, cutter.rest(), final=True, records=cutter.records, digest=cutter.digest())
        await self._emit(index, last)
        self._frames_out = 0
        self._after = batch.number
        self._sent_bytes.inc(cutter.size_bytes)
        self._window.sent(batch.number, cutter.size_bytes)
        self._window.acknowledged(self._confirmed)
        self._unacknowledged.set(self._window.in_flight_batches)

    async def _emit(self, index: int, part: BatchPart) -> None:
        """Send a frame unless an earlier attempt has: a batch's frames are the same at each reading."""
        if index >= self._frames_out:
            await self._outlet.put(part)
            self._frames_out = index + 1


def _part(batch: Batch, payload: bytes, *, final: bool = False, records: int = 0, digest: int = 0) -> BatchPart:
    return BatchPart(
        origin=batch.origin,
        incarnation=batch.incarnation,
        number=batch.number,
        dependencies=batch.dependencies,
        timestamp=batch.timestamp,
        payload=payload,
        final=final,
        records=records,
        digest=digest,
    )
