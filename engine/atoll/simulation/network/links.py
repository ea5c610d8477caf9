"""A directed link between two places: how long its packets take, which are lost, and whether anything passes at all.

The latency of one way is half of the measured round trip, as its sender measured it; above a minimum it has a long
tail (log-normal), such that the mean is what was measured. Loss is what TCP makes of it: delay. Cuts are counted, so
that overlapping ones nest.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields

from atoll.errors import InvalidConfiguration
from atoll.simulation.limits import PACKET_BYTES, RETRANSMISSIONS_MAX, RETRANSMIT_SECONDS_MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """How a link is worse than usual. Several on one link add up."""

    latency_factor: float = 1.0
    jitter_factor: float = 1.0
    loss: float = 0.0
    """Share of packets that are lost and sent again."""
    duplicate: float = 0.0
    """Share of packets that cross twice; a connection drops the second, which costs bandwidth only."""
    reorder: float = 0.0
    """Share of packets that others overtake; a connection waits for them."""
    bandwidth_kbps: float | None = None
    message_loss: float = 0.0
    """Share of messages of streams that vanish, as no TCP connection loses them but a broken proxy does."""
    message_duplicate: float = 0.0
    message_reorder: float = 0.0

    @classmethod
    def of(cls, parameters: Mapping[str, float]) -> Degradation:
        """Raises :class:`InvalidConfiguration` for a parameter or a share that makes no sense."""
        known = {field.name for field in fields(cls)}
        for name, value in parameters.items():
            if name not in known:
                raise InvalidConfiguration(
                    f"a link has no {name!r} to degrade: choose of {', '.join(sorted(known))}."
                )
            if value < 0 or (name not in ("latency_factor", "jitter_factor", "bandwidth_kbps") and value > 1):
                raise InvalidConfiguration(f"{name} = {value:g} of a link makes no sense: give a share from 0 to 1.")
            if name == "bandwidth_kbps" and value == 0:
                raise InvalidConfiguration("bandwidth_kbps = 0 of a link carries nothing: cut the link instead.")
        return cls(**parameters)


_NONE = Degradation()


class Link:
    """One way between two regions, or inside one. All its randomness comes from a stream of its own."""

    def __init__(
        self,
        source: str,
        target: str,
        *,
        latency_seconds: float,
        round_trip_seconds: float,
        jitter: float,
        loss: float,
        bandwidth_mbps: float | None,
        rng: random.Random,
        bites: Counter[str],
    ) -> None:
        self.source = source
        self.target = target
        self.latency_seconds = latency_seconds
        self.round_trip_seconds = round_trip_seconds
        self.epoch = 0
        """Changes whenever the link is cut or mended: what was under way then is lost."""
        self.now = _NONE
        """All degradations together."""
        self._jitter = jitter
        self._loss = loss
        self._bandwidth_kbps = None if bandwidth_mbps is None else bandwidth_mbps * 1_000
        self._rng = rng
        self._bites = bites
        self._cuts = 0
        self._rejecting_cuts = 0
        self._degradations: dict[int, Degradation] = {}
        self._handles = 0
        self._busy_until = 0.0

    # -- cuts and degradations ------------------------------------------------------------------------------------

    @property
    def is_cut(self) -> bool:
        return self._cuts > 0

    @property
    def rejects(self) -> bool:
        """Whether whoever sends is told at once that nothing passes."""
        return self._rejecting_cuts > 0

    def cut(self, *, rejecting: bool = False) -> None:
        """Let nothing pass. ``rejecting``: senders hear of it, as long as any such cut may be left."""
        self._cuts += 1
        self._rejecting_cuts += rejecting
        self.epoch += 1

    def heal(self) -> None:
        """Take one cut back."""
        assert self._cuts > 0, f"{self.source}>{self.target} is not cut"
        self._cuts -= 1
        self._rejecting_cuts = min(self._rejecting_cuts, self._cuts)
        self.epoch += 1

    def degrade(self, degradation: Degradation) -> int:
        """Make the link worse until :meth:`mend` with the returned handle."""
        self._handles += 1
        self._degradations[self._handles] = degradation
        self.now = _together(self._degradations)
        return self._handles

    def mend(self, handle: int) -> None:
        del self._degradations[handle]
        self.now = _together(self._degradations)

    # -- packets --------------------------------------------------------------------------------------------------

    def jitter_seconds(self) -> float:
        """A delay above the minimum, as it is just now."""
        share = self._jitter * self.now.jitter_factor
        if share <= 0.0 or self.latency_seconds <= 0.0:
            return 0.0
        return self._spread_seconds(share) * self._rng.lognormvariate(-0.5, 1.0)

    def transit_seconds(self, at: float, size_bytes: int, jitter_seconds: float) -> float | None:
        """How long ``size_bytes`` sent at ``at`` take to the other side; ``None``: chance lost them so often that the
        sender has to begin again."""
        worse = self.now
        latency = (self.latency_seconds - self._spread_seconds(self._jitter)) * worse.latency_factor + jitter_seconds
        delay = self._queue_seconds(at, size_bytes) + latency
        packets = -(-size_bytes // PACKET_BYTES)
        if self._degradations:
            self._bites["degrade: packets on a worse link"] += packets
        if worse.duplicate and self._hits(worse.duplicate, packets):
            self._bites["degrade: packets duplicated"] += 1
            self._queue_seconds(at, min(size_bytes, PACKET_BYTES))
        if worse.reorder and self._hits(worse.reorder, packets):
            self._bites["degrade: packets reordered"] += 1
            delay += self._rng.random() * latency
        loss = 1 - (1 - self._loss) * (1 - worse.loss)
        return delay if not loss else self._with_losses(delay, loss, packets)

    def _spread_seconds(self, share: float) -> float:
        """The mean of the jitter: what is measured is minimum and jitter together."""
        return self.latency_seconds * share / (1 + self._jitter)

    def _queue_seconds(self, at: float, size_bytes: int) -> float:
        """Wait behind what is being sent, and be sent."""
        limits = [kbps for kbps in (self._bandwidth_kbps, self.now.bandwidth_kbps) if kbps is not None]
        if not limits:
            return 0.0
        self._busy_until = max(self._busy_until, at) + size_bytes * 8 / (min(limits) * 1_000)
        return self._busy_until - at

    def _with_losses(self, delay: float, loss: float, packets: int) -> float | None:
        """A packet with others behind it is missed after a round trip, a last one only when the sender's patience
        ends."""
        missed = self.round_trip_seconds
        patience = missed + RETRANSMIT_SECONDS_MIN
        for attempt in range(RETRANSMISSIONS_MAX):
            if not self._hits(loss, packets if attempt == 0 else 1):
                return delay
            self._bites["loss: packets sent again"] += 1
            delay += missed if packets > 3 and attempt == 0 else patience
            patience *= 2
        return None

    def _hits(self, share: float, packets: int) -> bool:
        return self._rng.random() < 1 - (1 - share) ** packets


def _together(degradations: Mapping[int, Degradation]) -> Degradation:
    together = _NONE
    for one in degradations.values():
        limits = [limit for limit in (together.bandwidth_kbps, one.bandwidth_kbps) if limit is not None]
        together = Degradation(
            latency_factor=together.latency_factor * one.latency_factor,
            jitter_factor=together.jitter_factor * one.jitter_factor,
            loss=_either(together.loss, one.loss),
            duplicate=_either(together.duplicate, one.duplicate),
            reorder=_either(together.reorder, one.reorder),
            bandwidth_kbps=min(limits, default=None),
            message_loss=_either(together.message_loss, one.message_loss),
            message_duplicate=_either(together.message_duplicate, one.message_duplicate),
            message_reorder=_either(together.message_reorder, one.message_reorder),
        )
    return together


def _either(one: float, other: float) -> float:
    return 1 - (1 - one) * (1 - other)
