"""What lies between the regions of a real ring: the simulator's own links and pipes, kept in real time.

All processes run on one machine, where nothing is far from anything. Each region therefore dials each node of another
region through a proxy of its own (:mod:`atoll.simulation.real.proxy`), and the proxy carries what passes over the
:class:`~atoll.simulation.network.links.Link` of that direction, with the latency, jitter, bandwidth, cuts and
patience of the simulated network. The two directions of a connection are two links: they are delayed and cut apart.

Nothing is lost, doubled or overtaken on the way: a proxy of connections cannot do that to packets.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from atoll.ids import RegionName
from atoll.ports import Clock
from atoll.simulation.loop.entropy import Streams
from atoll.simulation.network.frames import Frame
from atoll.simulation.network.links import Degradation, Link
from atoll.simulation.real.proxy import Proxy
from atoll.simulation.scenario.scenario import NetworkSettings

CLIENTS = RegionName("clients")
"""Where the clients of a region stand on the links to its nodes."""

Handle = tuple[RegionName, RegionName, int]


class CableRoad:
    """See :class:`~atoll.simulation.network.pipe.Road`."""

    def __init__(self, link: Link, back: Link, clock: Clock, bites: Counter[str]) -> None:
        self.link = link
        self.back = back
        self._clock = clock
        self._bites = bites

    def now(self) -> float:
        return self._clock.monotonic()

    def passes(self) -> bool:
        return not self.link.is_cut

    def arrives(self) -> bool:
        return not self.link.is_cut

    def back_passes(self) -> bool:
        return not self.back.is_cut

    def after(self, seconds: float, callback: Callable[..., None], *args: Any) -> None:
        self._clock.alarm(max(0.0, seconds), partial(callback, *args))

    def dropped(self, frame: Frame) -> None:  # noqa: ARG002 (which of them is the timeline's business)
        self._bites["cut: pieces held back"] += 1


class Cables:
    """All links of one run and the proxies that lie on them. Used by one event loop."""

    def __init__(self, settings: NetworkSettings, *, seed: int, clock: Clock) -> None:
        self.bites: Counter[str] = Counter()
        self._settings = settings
        self._streams = Streams(seed)
        self._clock = clock
        self._links: dict[tuple[RegionName, RegionName], Link] = {}
        self._proxies: list[tuple[RegionName, RegionName, Proxy]] = []

    @property
    def pieces(self) -> int:
        """How many reads of a socket were carried across, as one piece each."""
        return sum(proxy.pieces for _, _, proxy in self._proxies)

    @property
    def bytes_carried(self) -> int:
        """What they held."""
        return sum(proxy.bytes_carried for _, _, proxy in self._proxies)

    async def lay(self, source: RegionName, target: RegionName, address: str) -> str:
        """A proxy through which processes in ``source`` reach ``address`` in ``target``; returns its address."""
        there, back = self._link(source, target), self._link(target, source)
        proxy = Proxy(
            address,
            outward=CableRoad(there, back, self._clock, self.bites),
            homeward=CableRoad(back, there, self._clock, self.bites),
        )
        self._proxies.append((source, target, proxy))
        return await proxy.listen()

    async def close(self) -> None:
        """Break everything and stop listening."""
        await asyncio.gather(*(proxy.close() for _, _, proxy in self._proxies))

    # -- faults ---------------------------------------------------------------------------------------------------

    def cut(self, source: RegionName, target: RegionName, *, reset: bool = False) -> None:
        """Nothing crosses from ``source`` to ``target`` until as many :meth:`heal` as cuts. ``reset``: connections
        across break at once; else they hang until somebody's patience ends."""
        self._link(source, target).cut(rejecting=reset)
        if reset:
            for near, far, proxy in self._proxies:
                if {near, far} == {source, target}:
                    self.bites["cut: connections reset"] += proxy.reset()

    def heal(self, source: RegionName, target: RegionName) -> None:
        """Take one cut back."""
        self._link(source, target).heal()

    def degrade(self, source: RegionName, target: RegionName, parameters: Mapping[str, float]) -> Handle:
        """Make a link worse until :meth:`mend`; several add up."""
        self.bites["degrade: links made worse"] += 1
        return source, target, self._link(source, target).degrade(Degradation.of(parameters))

    def mend(self, handle: Handle) -> None:
        """Take one degradation back."""
        source, target, number = handle
        self._link(source, target).mend(number)

    # -- links ----------------------------------------------------------------------------------------------------

    def _link(self, source: RegionName, target: RegionName) -> Link:
        key = (source, target)
        if key not in self._links:
            there, back = self._one_way_seconds(source, target), self._one_way_seconds(target, source)
            near = CLIENTS in key
            self._links[key] = Link(
                source,
                target,
                latency_seconds=there,
                round_trip_seconds=there + back,
                jitter=0.0 if near else self._settings.jitter,
                loss=0.0,
                bandwidth_mbps=None if near else self._settings.bandwidth_mbps,
                rng=self._streams.get(f"network {source}>{target}"),
                bites=self.bites,
            )
        return self._links[key]

    def _one_way_seconds(self, source: RegionName, target: RegionName) -> float:
        if CLIENTS in (source, target):
            return self._settings.client_latency_ms / 2_000
        locations = self._settings.locations
        return self._settings.table.one_way_seconds(locations[source], locations[target])
