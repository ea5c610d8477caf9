"""The way from one host to another: a link, and whether the machines at both ends have power."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atoll.simulation.network.frames import Frame

if TYPE_CHECKING:
    from atoll.simulation.loop.hosts import Host
    from atoll.simulation.network.links import Link
    from atoll.simulation.network.network import Network


class Way:
    """One direction between two hosts, as a :class:`~atoll.simulation.network.pipe.Pipe` sees it. What happens on it
    happens in kernels and cables: it goes on while a process is paused or dead."""

    __slots__ = ("_network", "back", "link", "source", "target")

    def __init__(self, network: Network, source: Host, target: Host) -> None:
        self._network = network
        self.source = source
        self.target = target
        self.link: Link = network.link(source, target)
        self.back: Link = network.link(target, source)

    def now(self) -> float:
        """True simulated seconds."""
        return self._network.loop.now()

    def passes(self) -> bool:
        """Whether a packet that is sent now gets across."""
        return not self.link.is_cut and self._powered()

    def arrives(self) -> bool:
        """Whether a packet that is on its way gets across; its sender may be without power by now."""
        return not self.link.is_cut and self.target.name not in self._network.dark

    def back_passes(self) -> bool:
        """Whether its acknowledgement does."""
        return not self.back.is_cut and self._powered()

    def after(self, seconds: float, callback: Callable[..., None], *args: Any) -> None:
        """Call back after so much true time, whatever becomes of both processes."""
        self._network.loop.call_on(self._network.harness, seconds, callback, *args)

    def dropped(self, frame: Frame) -> None:
        """A frame was swallowed."""
        self._network.dropped(self, frame)

    def _powered(self) -> bool:
        dark = self._network.dark
        return not dark or (self.source.name not in dark and self.target.name not in dark)
