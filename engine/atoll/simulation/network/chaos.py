"""Messages of a stream lost, doubled or swapped: what no TCP connection does, but a broken proxy between two may.

Off unless a link is degraded so. What the engine makes of it is the test: a typed protocol error and a new stream,
never silent damage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atoll.simulation.network.links import Link
    from atoll.simulation.network.network import Network


class Tamper:
    """Between one direction of one stream and its reader."""

    __slots__ = ("_held", "_link", "_network")

    def __init__(self, network: Network, link: Link) -> None:
        self._network = network
        self._link = link
        self._held: bytes | None = None
        """A message that the next one overtakes."""

    def pass_on(self, payload: bytes) -> Sequence[bytes]:
        """What reaches the reader now that ``payload`` has arrived."""
        worse = self._link.now
        if not (worse.message_loss or worse.message_duplicate or worse.message_reorder):
            return self._with_held([payload])
        rng, bites = self._network.chaos, self._network.bites
        if rng.random() < worse.message_loss:
            bites["degrade: messages lost"] += 1
            return self._with_held([])
        if rng.random() < worse.message_duplicate:
            bites["degrade: messages duplicated"] += 1
            return self._with_held([payload, payload])
        if self._held is None and rng.random() < worse.message_reorder:
            bites["degrade: messages reordered"] += 1
            self._held = payload
            return []
        return self._with_held([payload])

    def rest(self) -> Sequence[bytes]:
        """What was held back, at the end of the stream."""
        return self._with_held([])

    def _with_held(self, payloads: list[bytes]) -> Sequence[bytes]:
        if self._held is not None:
            payloads.append(self._held)
            self._held = None
        return payloads
