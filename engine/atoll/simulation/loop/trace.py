"""The trace of a run: one running SHA-256 over all that happened, in order.

Two runs of one seed are the same run if and only if their digests are equal. What is hashed are names, counts and
simulated times, never addresses or representations. Every scheduled step is hashed; only what somebody noted becomes
a :class:`~atoll.simulation.result.TraceEvent`.

Hashing is on the path of every step, so entries gather in a list of integers (with the texts beside it, a marker in
their place) and are hashed a block at a time. The digest after each block is kept: it shows where two runs part.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Sequence
from typing import Final

from atoll.simulation.result import TraceEvent

TEXT: Final = -1
"""The next of the block's texts belongs here."""
TIME: Final = -2
"""Simulated time moved to the nanosecond that follows."""


class Trace:
    """What happened in one run. ``entries`` is the open block, which the loop appends to directly."""

    def __init__(self, now: Callable[[], float], record: bool = False) -> None:
        self._now = now
        self._record = record
        self._sealed = False
        self._sha = hashlib.sha256()
        self._texts: list[str] = []
        self._events: list[TraceEvent] = []
        self.entries: list[int] = []
        self.checkpoints: list[str] = []
        """The digest after each full block of :data:`~atoll.simulation.limits.STEPS_PER_ROUND` steps."""

    def note(self, kind: str, lane: str, label: str, peer: str = "", message: int = 0) -> None:
        """Something happened: hashed, and kept as an event if the run is recorded."""
        if self._sealed:
            return
        self.entries.append(TEXT)
        self._texts.append(f"{kind}\x1f{lane}\x1f{label}\x1f{peer}\x1f{message}")
        if self._record:
            event = TraceEvent(at=self._now(), lane=lane, kind=kind, label=label, peer=peer, message=message)
            self._events.append(event)

    def label(self, number: int, text: str) -> None:
        """From here on, ``number`` stands for a task or callback of that name."""
        if self._sealed:
            return
        self.entries += (TEXT, number)
        self._texts.append(text)

    def hash_block(self) -> None:
        """Hash what has gathered since the last block."""
        self._update()
        self.checkpoints.append(self._sha.hexdigest())

    def seal(self) -> None:
        """The run is over: what still speaks up is not heard."""
        self._sealed = True

    def hexdigest(self) -> str:
        """The digest of everything so far."""
        self._update()
        return self._sha.hexdigest()

    @property
    def events(self) -> Sequence[TraceEvent]:
        return self._events

    def _update(self) -> None:
        self._sha.update(array("q", self.entries).tobytes())
        self._sha.update("\x1e".join(self._texts).encode())
        self.entries.clear()
        self._texts.clear()
