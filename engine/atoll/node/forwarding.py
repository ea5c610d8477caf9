"""Forwarding: operations on zones that this region may not hold go to a region that does.

One request per target region, in parts if it or its reply is too large for one message. Regions are tried in the
order of the route (the zone's home first), those whose last answer failed a moment ago after the others. A write
whose connection broke after it was sent is not tried elsewhere: nobody knows whether it happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from atoll.causality.session_token import SessionToken
from atoll.errors import AtollError, DeadlineExceeded, OutcomeUnknown, Unavailable, ValueTooLarge
from atoll.ids import RegionName
from atoll.limits import FORWARD_AVOID_SECONDS
from atoll.metrics import Metrics
from atoll.node.pending import Batch, Pending, Stage
from atoll.ports import Clock, Transport
from atoll.requests import Consistency, Get, Reply, Request


class Forwarder:
    """Sends operations to other regions and brings the results home into their sessions."""

    __slots__ = ("_clock", "_failed_at", "_key", "_metrics", "_tasks", "_transport")

    def __init__(self, transport: Transport, clock: Clock, metrics: Metrics, token_key: bytes) -> None:
        self._transport = transport
        self._clock = clock
        self._metrics = metrics
        self._key = token_key
        self._failed_at: dict[RegionName, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def forward(
        self, batch: Batch, consistency: Consistency, groups: Mapping[tuple[RegionName, ...], Sequence[Pending]]
    ) -> None:
        """Send each group to the first of its regions that answers. Returns at once; results go to the batch."""
        for regions, pendings in groups.items():
            task = asyncio.create_task(self._forward(batch, consistency, regions, pendings))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is in flight."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _forward(
        self, batch: Batch, consistency: Consistency, regions: Sequence[RegionName], pendings: Sequence[Pending]
    ) -> None:
        """Ask one region after the other until one answers."""
        failure: AtollError = Unavailable(f"none of the regions {', '.join(regions)} answers")
        for region in self._in_order(regions):
            left_seconds = batch.deadline - self._clock.monotonic()
            if left_seconds <= 0:
                failure = DeadlineExceeded(f"the deadline passed before a region answered; last: {failure}")
                break
            _mark(pendings, Stage.SENT)
            try:
                reply = await self._transport.execute(
                    region, self._request(batch, consistency, pendings, left_seconds), left_seconds
                )
                full = self._arrived(batch, pendings, reply, region)
                await self._forward_parts(batch, consistency, regions, [[pending] for pending in full])
                return
            except OutcomeUnknown as error:
                self._failed_at[region] = self._clock.monotonic()
                failure = error
                pendings = self._only_reads(pendings, error)
            except Unavailable as error:
                self._failed_at[region] = self._clock.monotonic()
                failure = error
                _mark(pendings, Stage.WAITING)
            except ValueTooLarge as error:
                failure = error
                _mark(pendings, Stage.WAITING)
                if len(pendings) == 1:
                    break
                middle = len(pendings) // 2
                await self._forward_parts(batch, consistency, regions, [pendings[:middle], pendings[middle:]])
                return
            except AtollError as error:
                failure = error
                break
        for pending in pendings:
            pending.finish(failure)

    async def _forward_parts(
        self,
        batch: Batch,
        consistency: Consistency,
        regions: Sequence[RegionName],
        parts: Sequence[Sequence[Pending]],
    ) -> None:
        for part in parts:
            await self._forward(batch, consistency, regions, part)

    def _request(
        self, batch: Batch, consistency: Consistency, pendings: Sequence[Pending], left_seconds: float
    ) -> Request:
        token = SessionToken(batch.cut, batch.session.timestamp).sign(self._key)
        return Request(
            operations=[pending.operation for pending in pendings],
            tokens=(token,) if token and consistency is Consistency.SESSION else (),
            consistency=consistency,
            deadline_seconds=left_seconds,
            forwarded=True,
        )

    def _arrived(
        self, batch: Batch, pendings: Sequence[Pending], reply: Reply, region: RegionName
    ) -> Sequence[Pending]:
        """Hand out the results; returns the reads that the reply was too full for."""
        self._failed_at.pop(region, None)
        self._metrics.forwarded.labels(region).inc(len(pendings))
        batch.session.join(SessionToken.verify(reply.token, self._key))
        full = []
        for pending, result in zip(pendings, reply.results, strict=True):
            if isinstance(result, ValueTooLarge) and isinstance(pending.operation, Get) and len(pendings) > 1:
                full.append(pending)
            else:
                pending.finish(result)
        return full

    def _in_order(self, regions: Sequence[RegionName]) -> Sequence[RegionName]:
        since = self._clock.monotonic() - FORWARD_AVOID_SECONDS
        return sorted(regions, key=lambda region: self._failed_at.get(region, since) > since)

    def _only_reads(self, pendings: Sequence[Pending], error: OutcomeUnknown) -> Sequence[Pending]:
        for pending in pendings:
            if not isinstance(pending.operation, Get):
                pending.finish(error)
        return [pending for pending in pendings if not pending.finished]


def _mark(pendings: Sequence[Pending], stage: Stage) -> None:
    """Writes that another region may have: if the deadline passes now, their outcome is unknown."""
    for pending in pendings:
        if not isinstance(pending.operation, Get):
            pending.stage = stage
