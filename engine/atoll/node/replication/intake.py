"""A region's intake: everything that peers send comes through here on its way into the own shards.

A batch is checked (the sender's window, residency, its timestamp) before anything is kept, split by the own shard
map, put into causal order, and joined by every shard in that order. Once all shards have it, the region's cut moves:
that is what peers are told, and when its lag is known. Nothing here waits: the pullers and the appliers call it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from atoll.causality.cut import Cut, join_all
from atoll.errors import CorruptFrame, StaleRoute, Unavailable
from atoll.ids import Origin, RegionName, ShardName
from atoll.instant import Timestamp, wall_ms
from atoll.keyspace.shard_map import ShardMap
from atoll.limits import LINK_WINDOW_BYTES
from atoll.node.progress import RegionProgress
from atoll.node.replication.applier import Applier
from atoll.node.replication.site import Site
from atoll.node.replication.tally import Tally
from atoll.node.waiting import Bell
from atoll.replication.frames import ReceivedBatch
from atoll.replication.inbox import Arrival, Blocked, Inbox
from atoll.replication.parcel import admit
from atoll.replication.residency import ZoneSet


class _Underway(NamedTuple):
    """A batch that is here and not yet applied by the region."""

    number: int
    timestamp: Timestamp
    size_bytes: int
    records: int


class Intake:
    """One per node. ``shard_map`` reads the newest known map; ``refresh_map`` fetches it from the catalog."""

    def __init__(
        self,
        site: Site,
        progress: RegionProgress,
        shard_map: Callable[[], ShardMap],
        refresh_map: Callable[[], Awaitable[ShardMap]],
    ) -> None:
        self._site = site
        self._progress = progress
        self._shard_map = shard_map
        self._refresh_map = refresh_map
        self._hosted = ZoneSet.of(site.topology, site.region)
        self._inbox = Inbox(site.region)
        self._known: set[ShardName] = set()
        peers = site.topology.peers(site.region)
        origins = [origin for peer in peers for origin in site.origins_of(peer)]
        self._underway: dict[Origin, deque[_Underway]] = {origin: deque() for origin in origins}
        self._underway_bytes = dict.fromkeys(origins, 0)
        self.restarts = {peer: Bell() for peer in peers}
        """Rings when the stream from a peer must begin again."""
        self._restarting: set[RegionName] = set()
        """Peers whose stream has yet to hear of it."""
        self.tallies = {peer: Tally(site.metrics, peer) for peer in peers}
        self.appliers = [Applier(site, store, self._applied, self._reroute) for store in site.stores.values()]

    # -- from the pullers -----------------------------------------------------------------------------------------

    async def learn_progress(self) -> None:
        """Ask the own shards how far they have come. A shard that does not answer is taken as last known; raises
        :class:`Unavailable` if it never answered."""
        for shard, store in self._site.stores.items():
            try:
                progress = await store.progress()
            except Unavailable:
                if shard not in self._known:
                    raise
                continue
            self._known.add(shard)
            self._progress.learn(shard, progress.applied)
            self._advance()

    def accept(self, batch: ReceivedBatch) -> None:
        """Take a verified batch. Raises :class:`~atoll.errors.PeerError`, and keeps nothing of it, if it may not be
        here, was not allowed by the window, or comes from too far in the future; :class:`StaleRoute` if its stream
        must begin again."""
        origin = batch.origin
        if origin not in self._underway:
            raise CorruptFrame(f"{origin} is not a shard of this ring's configuration")
        if origin.region in self._restarting:
            raise StaleRoute("a shard refused rows that the map gave it; they come again and are routed anew")
        underway = self._underway[origin]
        is_new = not underway or batch.number > underway[-1].number
        if is_new and self._underway_bytes[origin] >= LINK_WINDOW_BYTES:
            raise CorruptFrame(f"{origin} sent batch {batch.number} without room in its window")
        parcel = admit(batch, self._hosted, self._shard_map())
        self._site.timestamps.observe(batch.timestamp)
        if self._inbox.arrive(parcel) is Arrival.HELD:
            underway.append(_Underway(batch.number, batch.timestamp, parcel.size_bytes, parcel.records))
            self._underway_bytes[origin] += parcel.size_bytes
            self._release()

    def forget(self, region: RegionName) -> None:
        """The stream from ``region`` is gone: drop what it sent and was not released; it comes again."""
        self._restarting.discard(region)
        self._inbox.forget(region)
        self._drop_underway(region)
        self._show()

    def blocked(self) -> Sequence[Blocked]:
        """Which origins wait for which missing batches."""
        return self._inbox.blocked()

    def problems(self, region: RegionName) -> Sequence[str]:
        """What keeps batches of ``region`` from being applied, for people."""
        awaited = any(underway for origin, underway in self._underway.items() if origin.region == region)
        refusals = [f"shard {a.shard}: {a.problem}" for a in self.appliers if awaited and a.problem]
        return [*refusals, *(str(blocked) for blocked in self.blocked() if blocked.origin.region == region)]

    def merged(self, shard: ShardName) -> int:
        """Remote records that met the merge rules in one own shard."""
        return sum(applier.tally.merged for applier in self.appliers if applier.shard == shard)

    # -- from the appliers ----------------------------------------------------------------------------------------

    def _applied(self, shard: ShardName, completed: Cut) -> None:
        self._progress.learn(shard, completed)
        self._advance()

    async def _reroute(self) -> None:
        """A shard refused rows that the map gave it: everything above the region's cut, of all peers, since later
        batches of others may depend on it, comes again, is split by a newer map, and is joined again by every shard.
        No batch is lost by having been completed, without these rows, by the shard that owns them: the region's cut
        cannot pass it while another shard refuses its part."""
        await self._refresh_map()
        self._advance()
        self._inbox.restart()
        again = join_all(self._progress.shard(shard) for shard in self._site.stores)
        for applier in self.appliers:
            applier.queue.restart(again)
        for region, bell in self.restarts.items():
            self._restarting.add(region)
            self._drop_underway(region)
            bell.ring()

    # -- the gate -------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """The region's cut may have moved."""
        cut = self._progress.region()
        if cut != self._inbox.applied:
            self._inbox.advance(cut)
            for applier in self.appliers:
                applier.queue.caught_up(cut)
            self._settle(cut)
            self._release()

    def _settle(self, cut: Cut) -> None:
        now_ms = self._site.clock.wall_ms()
        for origin, underway in self._underway.items():
            number = cut.at(origin)
            while underway and underway[0].number <= number:
                batch = underway.popleft()
                self._underway_bytes[origin] -= batch.size_bytes
                self.tallies[origin.region].count(origin, batch.records)
                if batch.timestamp:
                    self.tallies[origin.region].lagged((now_ms - wall_ms(batch.timestamp)) / 1000)

    def _drop_underway(self, region: RegionName) -> None:
        """Forget what the inbox has not released."""
        for origin, underway in self._underway.items():
            while origin.region == region and underway and underway[-1].number > self._inbox.released(origin):
                self._underway_bytes[origin] -= underway.pop().size_bytes

    def _release(self) -> None:
        shard_map = self._shard_map()
        for batch in self._inbox.release():
            with suppress(StaleRoute):  # split as it is, the shard that does not own a row refuses it
                batch.reroute(shard_map)
            for applier in self.appliers:
                applier.put(batch)
        self._show()

    def _show(self) -> None:
        applied = self._inbox.applied
        for origin, size_bytes in self._underway_bytes.items():
            batches, _ = self._inbox.held(origin)
            self.tallies[origin.region].show(origin, batches, size_bytes, applied.at(origin))
