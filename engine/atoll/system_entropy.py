"""The real :class:`~atoll.ports.Entropy`: the operating system's randomness."""

from __future__ import annotations

import random
import secrets


class SystemEntropy:
    """Identifiers that nobody can guess; jitter that no two processes share."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def token(self) -> str:
        return secrets.token_hex(16)
