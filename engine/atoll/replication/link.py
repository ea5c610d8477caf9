"""The state of the link from one peer, as people see it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LinkPhase(StrEnum):
    """Where a puller stands with its peer."""

    DIALING = "dialing"
    OPEN = "open"
    WAITING = "waiting"
    """The last attempt failed; the next follows after a delay."""
    CUT_OFF = "cut_off"
    """A drill plays dead to the peer."""
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """``problem`` is what ended or hinders the link, empty when nothing does."""

    phase: LinkPhase
    problem: str = ""

    @property
    def connected(self) -> bool:
        return self.phase is LinkPhase.OPEN
