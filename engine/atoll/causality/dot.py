"""A dot is the identity of one write: who minted it, and the count at which.

Counters are leased by a shard in blocks and shared by all its records, so on one record an actor's dots increase
but are not dense. A dot is minted once, ever (promise I2).
"""

from __future__ import annotations

from typing import NamedTuple

from atoll.ids import Actor


class Dot(NamedTuple):
    """One write of ``actor``; equal to the plain tuple ``(actor, counter)`` and hashes like it."""

    actor: Actor
    counter: int

    def __str__(self) -> str:
        return f"{self.actor}:{self.counter}"
