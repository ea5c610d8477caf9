"""The simulated network: hosts, the links between their regions, who listens where, and what broke.

Hosts are named ``region/name``. Between regions the measured latencies hold, with jitter, loss, bandwidth, cuts and
degradations of each direction; inside a region packets take a fixed short time and nothing is cut. All randomness
comes from streams of the loop that belong to the network alone.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from atoll.ids import RegionName
from atoll.rpc.channels import ChannelFactory
from atoll.simulation.limits import NODE_ROUND_TRIP_MS
from atoll.simulation.naming import region_of
from atoll.simulation.network.channel import SimulatedChannel
from atoll.simulation.network.connection import REFUSED, End, Owner
from atoll.simulation.network.frames import Answer, Frame, Knock, payload_bytes
from atoll.simulation.network.links import Degradation, Link
from atoll.simulation.network.pipe import RESET
from atoll.simulation.network.server import SimulatedServer
from atoll.simulation.network.way import Way
from atoll.simulation.observations import Carried, Observer

if TYPE_CHECKING:
    from atoll.simulation.loop.event_loop import SimulationLoop
    from atoll.simulation.loop.hosts import Host
    from atoll.simulation.scenario.scenario import NetworkSettings

CLIENTS: Final = "/clients"
"""How the names of hosts end on which clients run."""
REPLICATION: Final = "/atoll.wire.v1.Replication/"
DARK_SHARE: Final = 0.2
"""Share of dead processes whose machine has died with them, where nobody says which it is."""

Handle = tuple[RegionName, RegionName, int]


class Network:
    """One network of one run."""

    def __init__(
        self,
        loop: SimulationLoop,
        settings: NetworkSettings,
        observer: Observer | None = None,
    ) -> None:
        self.loop = loop
        self.harness = loop.host("harness")
        self.rng = loop.streams.get("network")
        self.chaos = loop.streams.get("network messages")
        self.bites: Counter[str] = Counter()
        self.messages = 0
        self.bytes_carried = 0
        self.dark: dict[str, bool] = {}
        """Hosts without power."""
        self._settings = settings
        self._observer = observer
        self._links: dict[tuple[str, str], Link] = {}
        self._resets: Counter[tuple[str, str]] = Counter()
        self._ends: dict[str, dict[int, End]] = {}
        self._reserved: dict[str, SimulatedServer] = {}
        self._listening: dict[str, SimulatedServer] = {}
        self._hosts_of: dict[str, Host] = {}
        """Which machine an address belongs to, whether anybody listens or not."""
        self._number = 0

    # -- for processes --------------------------------------------------------------------------------------------

    def channel(self, host: Host) -> ChannelFactory:
        """What makes the channels of the process on ``host``."""
        return lambda address: SimulatedChannel(self, host, address)

    def place(self, address: str, host: Host) -> None:
        """Say which machine an address belongs to, before anybody listens there: whoever dials early knocks at the
        right door."""
        self._hosts_of[address] = host

    def listen(self, host: Host, address: str) -> SimulatedServer:
        """A server of the process on ``host``, which takes ``host:port`` when it is started. Raises
        :class:`RuntimeError` if somebody has it."""
        server = SimulatedServer(self, host)
        server.add_insecure_port(address)
        return server

    def listens(self, address: str) -> bool:
        """Whether somebody serves there; for the harness, which sees all."""
        return address in self._listening

    # -- faults ---------------------------------------------------------------------------------------------------

    def cut(self, source: RegionName, target: RegionName, reset: bool = False) -> None:
        """Nothing crosses from ``source`` to ``target`` until as many :meth:`heal` as cuts. ``reset``: connections
        across break at once and new ones are refused; else they hang until somebody's patience ends."""
        self._between(source, target).cut(rejecting=reset)
        if reset:
            self._reset_across(source, target)

    def heal(self, source: RegionName, target: RegionName) -> None:
        """Take one cut back."""
        self._between(source, target).heal()

    def degrade(self, source: RegionName, target: RegionName, **parameters: float) -> Handle:
        """Make a link worse (:class:`Degradation`) until :meth:`mend`; several add up."""
        return source, target, self._between(source, target).degrade(Degradation.of(parameters))

    def mend(self, handle: Handle) -> None:
        """Take one degradation back."""
        source, target, number = handle
        self._between(source, target).mend(number)

    def host_died(self, host: Host, power_lost: bool | None = None) -> None:
        """Call at once after a process has died. Peers get resets from its machine, or nothing at all if the power is
        gone, too; ``None``: chance says which."""
        dark = self.rng.random() < DARK_SHARE if power_lost is None else power_lost
        for address in [address for address, server in self._reserved.items() if server.host is host]:
            self._reserved.pop(address)
            self._listening.pop(address, None)
        if dark:
            self.dark[host.name] = True
        ends = list(self.ends_of(host).values())
        for end in ends:
            end.vanish(silently=dark)
        self.bites["crash: connections lost"] += len(ends)

    def host_back(self, host: Host) -> None:
        """Call when the machine has power again, before its process starts."""
        self.dark.pop(host.name, None)

    # -- for connections and servers ------------------------------------------------------------------------------

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def ends_of(self, host: Host) -> dict[int, End]:
        """The ends of connections that live on ``host``, in the order in which they were made."""
        return self._ends.setdefault(host.name, {})

    def connect(self, host: Host, address: str, owner: Owner) -> End:
        """Begin to connect; the owner hears how it went."""
        target = self._hosts_of.get(address, host)
        end = End(self, host, target, address)
        end.owner = owner
        end.send(Knock(address))
        return end

    def knocked(self, client: End, address: str) -> None:
        """The first packet has arrived at the machine."""
        server = self._listening.get(address)
        if server is None or server.host is not client.peer_host:
            if client.way.back_passes():
                client.way.after(client.way.back.latency_seconds, client.break_off, REFUSED)
            return
        server_end = End(self, client.peer_host, client.host, address)
        server_end.peer, client.peer = client, server_end
        server_end.send(Answer())

    def accepted(self, end: End) -> None:
        """The first packet of the client's process has arrived at the server's."""
        server = self._listening.get(end.address)
        if server is None:
            end.vanish(silently=False)
        else:
            server.accept(end)

    def reserve(self, address: str, server: SimulatedServer, host: Host) -> None:
        if self._reserved.get(address, server) is not server:
            raise RuntimeError(f"Failed to bind to address {address}; another server has it")
        self._reserved[address] = server
        self._hosts_of[address] = host

    def listen_at(self, address: str, server: SimulatedServer) -> None:
        self._listening[address] = server

    def close_listeners(self, server: SimulatedServer) -> None:
        for address in [address for address, other in self._reserved.items() if other is server]:
            self._reserved.pop(address)
            self._listening.pop(address, None)

    # -- links ----------------------------------------------------------------------------------------------------

    def link(self, source: Host, target: Host) -> Link:
        """The link that packets from one host to another take."""
        here, there = region_of(source.name), region_of(target.name)
        locations = self._settings.locations
        if here != there and here in locations and there in locations:
            return self._between(here, there)
        kind = "clients" if source.name.endswith(CLIENTS) or target.name.endswith(CLIENTS) else "nodes"
        key = (f"{here} {kind}", there)
        if key not in self._links:
            round_trip = self._settings.client_latency_ms if kind == "clients" else NODE_ROUND_TRIP_MS
            ways_ms = (round_trip / 2, round_trip / 2)
            self._links[key] = self._new_link(key, ways_ms, jitter=0.0, loss=0.0, bandwidth_mbps=None)
        return self._links[key]

    def _between(self, source: RegionName, target: RegionName) -> Link:
        assert source != target, f"{source} has no link to itself"
        key = (source, target)
        if key not in self._links:
            settings = self._settings
            self._links[key] = self._new_link(
                key,
                (_one_way_ms(settings, source, target), _one_way_ms(settings, target, source)),
                jitter=settings.jitter,
                loss=settings.loss,
                bandwidth_mbps=settings.bandwidth_mbps,
            )
        return self._links[key]

    def _new_link(
        self,
        key: tuple[str, str],
        ways_ms: tuple[float, float],
        *,
        jitter: float,
        loss: float,
        bandwidth_mbps: float | None,
    ) -> Link:
        """``ways_ms``: there and back."""
        source, target = key
        return Link(
            source,
            target,
            latency_seconds=ways_ms[0] / 1_000,
            round_trip_seconds=sum(ways_ms) / 1_000,
            jitter=jitter,
            loss=loss,
            bandwidth_mbps=bandwidth_mbps,
            rng=self.loop.streams.get(f"network {source}>{target}"),
            bites=self.bites,
        )

    def _reset_across(self, source: RegionName, target: RegionName) -> None:
        links = (self._between(source, target), self._between(target, source))
        for ends in list(self._ends.values()):
            for end in list(ends.values()):
                if end.way.link in links:
                    self.bites["cut: connections reset"] += 1
                    end.break_off(RESET)

    # -- observing ------------------------------------------------------------------------------------------------

    def sending(self, end: End, method: str, payload: bytes) -> int:
        """A message is put on its way; returns its number."""
        self.messages += 1
        self.bytes_carried += len(payload)
        self.loop.trace.note("send", end.host.name, _short(method), end.peer_host.name, self.messages)
        if self._observer is not None and method.startswith(REPLICATION):
            self._observe_carried(end.way, method, payload)
        return self.messages

    def delivered(self, end: End, method: str, number: int) -> None:
        """A message has arrived at a process."""
        self.loop.trace.note("deliver", end.host.name, _short(method), end.peer_host.name, number)

    def dropped(self, way: Way, frame: Frame) -> None:
        """A frame was swallowed on its way."""
        self.bites["cut: messages dropped" if way.link.is_cut else "network: messages dropped"] += 1
        label = f"{type(frame).__name__} of {payload_bytes(frame)} bytes"
        self.loop.trace.note("drop", way.source.name, label, way.target.name, getattr(frame, "number", 0))

    def _observe_carried(self, way: Way, method: str, payload: bytes) -> None:
        source, target = region_of(way.source.name), region_of(way.target.name)
        if source != target and self._observer is not None:
            at = self.loop.now()
            self._observer.observe(Carried(at=at, source=source, target=target, method=method, payload=payload))


def _one_way_ms(settings: NetworkSettings, source: RegionName, target: RegionName) -> float:
    return 1_000 * settings.table.one_way_seconds(settings.locations[source], settings.locations[target])


def _short(method: str) -> str:
    return method.rpartition("/")[2]
