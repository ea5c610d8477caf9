"""One stream to a peer: a follower per own shard, heartbeats, and what the peer acknowledges."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import structlog

from atoll.errors import CorruptFrame, Retryable
from atoll.ids import RegionName, ShardName
from atoll.limits import ACKNOWLEDGE_PERSIST_SECONDS, HEARTBEAT_SECONDS, STREAM_QUEUE_MAX
from atoll.node.channel import Channel, Closed
from atoll.node.replication.captured import CapturedNumbers
from atoll.node.replication.following import Follower
from atoll.node.replication.site import Site
from atoll.node.restarting import Trouble
from atoll.node.waiting import Bell, first_to_end
from atoll.replication.messages import Acknowledgement, Heartbeat, Hello, StreamMessage
from atoll.replication.residency import ZoneSet

_log = structlog.get_logger(__name__)


class OutgoingStream:
    """Feeds ``outlet`` while :meth:`run` runs; closes it with the reason when anything ends the stream."""

    def __init__(
        self, site: Site, captured: CapturedNumbers, hello: Hello, acknowledgements: AsyncIterator[Acknowledgement]
    ) -> None:
        self._site = site
        self._captured = captured
        self._peer: RegionName = hello.region
        self._acknowledgements = acknowledgements
        self.outlet: Channel[StreamMessage] = Channel(STREAM_QUEUE_MAX)
        zones = ZoneSet.of(site.topology, hello.region)
        self._news = Bell()
        self._followers = {
            shard: Follower(site, store, zones, hello.after.get(shard, 0), self.outlet, captured, self._news.ring)
            for shard, store in site.stores.items()
        }
        self._noted: dict[ShardName, int] = {}
        self._trouble = Trouble("noting acknowledgements", peer=self._peer)

    async def run(self) -> None:
        """Serve until the peer leaves, breaks the protocol or is cut off by a drill."""
        reason: BaseException | None = None
        try:
            await first_to_end(
                self._listen,
                self._beat,
                self._note_for_ever,
                self._watch_drill,
                *(follower.run for follower in self._followers.values()),
            )
        except Closed:
            pass
        except Exception as error:
            _log.warning("a replication stream to a peer ended", peer=self._peer, problem=str(error))
            reason = error
        finally:
            self.outlet.close(reason)

    async def _listen(self) -> None:
        async for acknowledgement in self._acknowledgements:
            self._heard(acknowledgement.applied)

    def _heard(self, applied: Mapping[ShardName, int]) -> None:
        """A peer may have more than was sent here, by a stream between other nodes, but never what does not exist."""
        for shard, number in applied.items():
            follower = self._followers.get(shard)
            if follower is None or number > max(follower.sent, self._captured.number(shard)):
                raise CorruptFrame(f"{self._peer} acknowledged batch {number} of {shard}, which was never sent to it")
        for shard, number in applied.items():
            self._followers[shard].acknowledged(number)

    async def _beat(self) -> None:
        while True:
            await self.outlet.put(Heartbeat(timestamp=self._site.timestamps.last, captured=self._captured.all()))
            await self._site.clock.sleep(HEARTBEAT_SECONDS)

    async def _watch_drill(self) -> None:
        await self._site.drill.wait_until_cut_off_from(self._peer)
        self._site.drill.check(self._peer)

    async def _note_for_ever(self) -> None:
        """Make acknowledgements durable, several together; what was said in the hello once it was verified."""
        while True:
            ticket = self._news.ticket()
            try:
                await self._note()
            except Retryable as error:
                await self._site.clock.sleep(self._site.entropy.uniform(0, self._trouble.failed(error)))
                continue
            self._trouble.mended()
            await self._site.clock.sleep(ACKNOWLEDGE_PERSIST_SECONDS)
            await self._news.wait(ticket)

    async def _note(self) -> None:
        """A shard that is down does not keep the notes of the others from being written."""
        problem: Retryable | None = None
        for shard, follower in self._followers.items():
            number = follower.confirmed
            if number > self._noted.get(shard, 0):
                try:
                    await self._site.stores[shard].acknowledge(self._peer, number)
                    self._noted[shard] = number
                except Retryable as error:
                    problem = error
        if problem is not None:
            raise problem
