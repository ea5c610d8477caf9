"""The receiver's side of one link: dials the peer for ever, and hands what it verified to the intake.

A stream that breaks, falls silent or sends something wrong is dropped and dialled again after a jittered delay, from
where the region's cut stands. A batch that may not be here is refused whole, again at each attempt, until a person
mends the cause: refusing is the only safe answer to it.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from atoll.causality.cut import Cut
from atoll.control import PeerStatus
from atoll.errors import (
    AtollError,
    ClockTooFarAhead,
    CorruptFrame,
    PeerError,
    ResidencyViolation,
    StaleRoute,
    Unavailable,
)
from atoll.ids import Origin, RegionName
from atoll.limits import (
    ACKNOWLEDGE_INTERVAL_SECONDS,
    LINK_SILENCE_SECONDS,
    LINK_STANDSTILL_SECONDS,
    REFUSAL_TOLD_SECONDS,
)
from atoll.node.progress import RegionProgress
from atoll.node.replication.intake import Intake
from atoll.node.replication.site import Site
from atoll.node.waiting import Bell, first_to_end
from atoll.ports import PullStream, Transport
from atoll.replication.backoff import Backoff
from atoll.replication.frames import Assembler
from atoll.replication.link import LinkPhase, LinkState
from atoll.replication.messages import Acknowledgement, BatchPart, Heartbeat, Hello, StreamMessage

_log = structlog.get_logger(__name__)

_REASONS: Mapping[type[AtollError], str] = {
    ResidencyViolation: "residency",
    CorruptFrame: "corrupt",
    ClockTooFarAhead: "clock",
}


class Puller:
    """Pulls one peer. :meth:`run` is a task that never ends by itself."""

    def __init__(
        self, site: Site, peer: RegionName, transport: Transport, intake: Intake, progress: RegionProgress
    ) -> None:
        self._site = site
        self.peer = peer
        self._transport = transport
        self._intake = intake
        self._progress = progress
        self._origins = site.origins_of(peer)
        self._incarnations: Mapping[Origin, int] = {}
        self._captured = Cut.EMPTY
        self._backoff = Backoff()
        self._state = LinkState(phase=LinkPhase.STOPPED)
        self._refusal = ""
        self._refusal_told_until = float("-inf")
        self._heard = Bell()
        self._woken = Bell()
        self._heard_at = 0.0
        self._up = site.metrics.link_up.labels(peer)
        self._dials = site.metrics.link_dials.labels(peer)

    def status(self) -> PeerStatus:
        """The link as people see it."""
        tally = self._intake.tallies[self.peer]
        applied = self._progress.region()
        behind = sum(max(0, number - applied.at(origin)) for origin, number in self._captured.items())
        problems = [self._state.problem] if self._state.problem else self._intake.problems(self.peer)
        if self._site.clock.monotonic() < self._refusal_told_until and self._refusal not in problems:
            problems = [self._refusal, *problems]
        return PeerStatus(
            region=self.peer,
            connected=self._state.connected,
            problem="; ".join(problems),
            batches_behind=behind,
            lag_p50_seconds=tally.lag.quantile(0.5),
            lag_p99_seconds=tally.lag.quantile(0.99),
            records_applied=tally.applied,
            refused=tally.refused,
        )

    def wake(self) -> None:
        """The peer was heard from: if a dial is delayed, dial now."""
        self._woken.ring()

    async def run(self) -> None:
        """Keep a stream open for ever."""
        try:
            while True:
                await self._attempt()
        finally:
            self._become(LinkPhase.STOPPED)

    async def _attempt(self) -> None:
        if self.peer in self._site.drill.cut_off_from:
            self._become(LinkPhase.CUT_OFF, "cut off by a drill")
            await self._site.drill.wait_until_healed(self.peer)
            self._backoff = Backoff()
        failure: AtollError = Unavailable(f"{self.peer} closed the stream")
        try:
            await self._stream()
        except AtollError as error:
            failure = error
        finally:
            self._intake.forget(self.peer)
        self._broke(failure)
        delay_seconds = self._site.entropy.uniform(0, self._backoff.ceiling_seconds)
        await self._woken.wait_at_most(self._woken.ticket(), delay_seconds, self._site.clock)
        self._backoff = self._backoff.failed()

    async def _stream(self) -> None:
        self._dials.inc()
        await self._intake.learn_progress()
        applied = self._progress.region()
        after = Cut((origin, applied.at(origin)) for origin in self._origins)
        hello = Hello(
            ring=self._site.topology.ring,
            region=self._site.region,
            after={origin.shard: after.at(origin) for origin in self._origins},
        )
        stream = await self._transport.pull(self.peer, hello)
        try:
            assembler = Assembler(self.peer, after, self._incarnations)
            await first_to_end(
                lambda: self._receive(stream, assembler),
                lambda: self._acknowledge(stream, after),
                self._watch_silence,
                lambda: self._watch_standstill(assembler),
                self._watch_drill,
                self._watch_restarts,
            )
        finally:
            await stream.close()

    async def _receive(self, stream: PullStream, assembler: Assembler) -> None:
        """The one reader of the stream."""
        self._heard_at = self._site.clock.monotonic()
        while (message := await stream.receive()) is not None:
            self._heard_at = self._site.clock.monotonic()
            if not self._state.connected:
                self._opened()
            self._take(message, assembler)

    def _take(self, message: StreamMessage, assembler: Assembler) -> None:
        match message:
            case BatchPart():
                batch = assembler.add(message)
                if batch is not None:
                    self._captured = self._captured.advanced(batch.origin, batch.number)
                    self._intake.accept(batch)
                    self._incarnations = dict(assembler.incarnations)
                    self._heard.ring()
            case Heartbeat():
                captured = Cut((Origin(self.peer, shard), number) for shard, number in message.captured.items())
                self._captured = self._captured.join(captured)

    async def _acknowledge(self, stream: PullStream, after: Cut) -> None:
        """Tell the peer what is durable as it comes about; soon when idle, several batches together when busy."""
        told = after
        while True:
            await self._progress.beyond(told, self._origins)
            cut = self._progress.region()
            told = Cut((origin, cut.at(origin)) for origin in self._origins)
            applied = {origin.shard: number for origin, number in told.items()}
            await stream.acknowledge(Acknowledgement(applied=applied, cut=cut))
            await self._site.clock.sleep(ACKNOWLEDGE_INTERVAL_SECONDS)

    async def _watch_silence(self) -> None:
        clock = self._site.clock
        self._heard_at = clock.monotonic()
        while (left_seconds := self._heard_at + LINK_SILENCE_SECONDS - clock.monotonic()) > 0:
            await clock.sleep(left_seconds)
        raise Unavailable(f"{self.peer} has been silent for {LINK_SILENCE_SECONDS:g} s")

    async def _watch_standstill(self, assembler: Assembler) -> None:
        """A proxy that swallows a batch, or an acknowledgement, and passes heartbeats on would stop the link for
        ever: a stream's messages are in order, but nobody says how many there were."""
        while True:
            before = [assembler.received(origin) for origin in self._origins]
            await self._site.clock.sleep(LINK_STANDSTILL_SECONDS)
            received = [assembler.received(origin) for origin in self._origins]
            applied = self._progress.region()
            idle = all(applied.at(origin) >= number for origin, number in zip(self._origins, received, strict=True))
            told = any(self._captured.at(o) > number for o, number in zip(self._origins, before, strict=True))
            if told and idle and received == before:
                raise Unavailable(
                    f"{self.peer} tells of batches and has sent none for {LINK_STANDSTILL_SECONDS:g} s: the stream "
                    "begins again"
                )

    async def _watch_drill(self) -> None:
        await self._site.drill.wait_until_cut_off_from(self.peer)
        self._site.drill.check(self.peer)

    async def _watch_restarts(self) -> None:
        bell = self._intake.restarts[self.peer]
        await bell.wait(bell.ticket())
        raise StaleRoute("a shard refused rows that the map gave it; they come again and are routed anew")

    def _opened(self) -> None:
        self._become(LinkPhase.OPEN)
        _log.info("the link from a peer is up", peer=self.peer)

    def _broke(self, error: AtollError) -> None:
        if isinstance(error, PeerError):
            self._refusal = error.message
            self._refusal_told_until = self._site.clock.monotonic() + REFUSAL_TOLD_SECONDS
            self._intake.tallies[self.peer].refuse(_REASONS.get(type(error), "protocol"))
            _log.error("something a peer sent was refused", peer=self.peer, kind=error.code, problem=error.message)
        elif self._state.connected and isinstance(error, Unavailable):
            self._backoff = self._backoff.succeeded()
        if self._state.connected or error.message != self._state.problem:
            _log.warning("the link from a peer is down", peer=self.peer, problem=error.message)
        self._become(LinkPhase.WAITING, error.message)

    def _become(self, phase: LinkPhase, problem: str = "") -> None:
        self._state = LinkState(phase=phase, problem=problem)
        self._up.set(1 if phase is LinkPhase.OPEN else 0)
