"""A node's replication as one thing that is started, asked and stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from atoll.causality.cut import Cut
from atoll.causality.hybrid_clock import HybridClock
from atoll.control import PeerStatus
from atoll.ids import Origin, RegionName, ShardName
from atoll.keyspace.shard_map import ShardMap
from atoll.keyspace.topology import Topology
from atoll.metrics import Metrics
from atoll.node.clock_keeper import ClockKeeper
from atoll.node.drill import Drill
from atoll.node.progress import RegionProgress
from atoll.node.replication.capture import CaptureLoop
from atoll.node.replication.captured import CapturedNumbers
from atoll.node.replication.intake import Intake
from atoll.node.replication.puller import Puller
from atoll.node.replication.retention import Retention
from atoll.node.replication.sender import PullServer
from atoll.node.replication.site import Site
from atoll.node.restarting import RestartingTasks
from atoll.ports import Clock, Entropy, ShardStore, Transport
from atoll.replication.messages import Acknowledgement, Hello, StreamMessage


class Replication:
    """Owns every task between this region and its peers. A part that crashes is begun again; :meth:`stop` leaves
    nothing behind. Several nodes of a region may each run one: everything they do is idempotent."""

    def __init__(
        self,
        *,
        topology: Topology,
        region: RegionName,
        stores: Mapping[ShardName, ShardStore],
        transport: Transport,
        clock: Clock,
        entropy: Entropy,
        timestamps: ClockKeeper | HybridClock,
        shard_map: Callable[[], ShardMap],
        refresh_map: Callable[[], Awaitable[ShardMap]],
        metrics: Metrics,
        drill: Drill,
        progress: RegionProgress | None = None,
    ) -> None:
        """``shard_map`` reads the newest map this node knows, ``refresh_map`` fetches it from the catalog. Nothing
        runs before :meth:`start`."""
        self._site = Site(
            topology=topology,
            region=region,
            stores=stores,
            timestamps=timestamps,
            clock=clock,
            entropy=entropy,
            metrics=metrics,
            drill=drill,
        )
        self.progress = progress or RegionProgress(stores, clock)
        """What the own shards have applied; for reads that wait for their session."""
        self._captured = CapturedNumbers(stores)
        self._captures = {shard: CaptureLoop(self._site, store, self._captured) for shard, store in stores.items()}
        self._server = PullServer(self._site, self._captured, self._heard_from)
        self._intake = Intake(self._site, self.progress, shard_map, refresh_map)
        self._pullers = [
            Puller(self._site, peer, transport, self._intake, self.progress) for peer in topology.peers(region)
        ]
        self._tasks = RestartingTasks(clock, entropy)

    async def start(self) -> None:
        """Begin to capture, apply, pull and collect. Returns at once; what does not answer is tried again."""
        for shard, capture in self._captures.items():
            self._tasks.start(f"capture of {shard}", capture.run)
        for applier in self._intake.appliers:
            self._tasks.start(f"applying to {applier.shard}", applier.run)
        for puller in self._pullers:
            self._tasks.start(f"pulling {puller.peer}", puller.run)
        for shard, store in self._site.stores.items():
            self._tasks.start(f"retention of {shard}", Retention(self._site, store).run)

    async def stop(self) -> None:
        """End all streams and tasks and wait for each. Idempotent."""
        await self._server.close()
        await self._tasks.stop()

    def hint(self, shard: ShardName) -> None:
        """Something was committed on ``shard``: capture it soon. Cheap; called after each group commit."""
        self._captures[shard].hint()

    def serve_pull(
        self, hello: Hello, acknowledgements: AsyncIterator[Acknowledgement]
    ) -> AsyncIterator[StreamMessage]:
        """Serve one stream to a peer (:meth:`PullServer.serve`)."""
        return self._server.serve(hello, acknowledgements)

    def peer_statuses(self) -> Sequence[PeerStatus]:
        """How the link from each peer is, in order of name."""
        return [puller.status() for puller in self._pullers]

    def records_merged(self, shard: ShardName) -> int:
        """Remote records that had changed on both sides when ``shard`` joined them, since the start."""
        return self._intake.merged(shard)

    def cut(self) -> Cut:
        """What the region has seen: every remote batch that all its shards have applied, and its own captures."""
        own = self._site.region
        captured = {Origin(own, shard): number for shard, number in self._captured.all().items()}
        return self.progress.region().join(Cut(captured))

    def blocked(self) -> Sequence[str]:
        """Which batches wait here for which missing ones, for people."""
        return [str(blocked) for blocked in self._intake.blocked()]

    def _heard_from(self, peer: RegionName) -> None:
        """A peer that can dial here can most likely be dialled: a cut that has healed heals both ways at once."""
        for puller in self._pullers:
            if puller.peer == peer:
                puller.wake()
