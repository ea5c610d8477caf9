"""Randomness of a run: independent streams by name, all from one seed.

A stream is seeded with a string, which Python hashes alike in every process. A part that draws more than before
changes its own stream and no other.
"""

from __future__ import annotations

import random


class Streams:
    """The streams of one run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, random.Random] = {}

    def get(self, name: str) -> random.Random:
        """The stream of that name: the same object at each call."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = random.Random(f"{self.seed}:{name}")
        return stream


class SeededEntropy:
    """The :class:`~atoll.ports.Entropy` of one life of one host: a restarted process draws something new."""

    def __init__(self, stream: random.Random) -> None:
        self._random = stream

    @classmethod
    def of(cls, streams: Streams, host: str, life: int) -> SeededEntropy:
        return cls(streams.get(f"entropy:{host}:{life}"))

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def token(self) -> str:
        return f"{self._random.getrandbits(128):032x}"
