"""A range [low, high) of positions: the unit of ownership, of moves and of digests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class KeyRange:
    """Positions from ``low`` (included) to ``high`` (excluded); ``high`` is ``None`` at the end of the line."""

    low: bytes
    high: bytes | None

    def __post_init__(self) -> None:
        assert self.high is None or self.low < self.high, f"empty range {self}"

    def __contains__(self, position: bytes) -> bool:
        return self.low <= position and (self.high is None or position < self.high)

    def overlaps(self, other: KeyRange) -> bool:
        """Whether any position lies in both."""
        return (other.high is None or self.low < other.high) and (self.high is None or other.low < self.high)

    def __str__(self) -> str:
        high = "end" if self.high is None else self.high.hex()
        return f"[{self.low.hex() or 'start'}, {high})"


EVERYTHING = KeyRange(b"", None)
"""The whole keyspace line."""
