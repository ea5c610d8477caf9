"""What a read shows against what its session certainly knew.

One read and one witness: an operation in the read's causal past that its value contradicts. The checkers by merge
rule tell them as effects (a lost element); those by promise as broken promises (read your writes).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from atoll.simulation.checkers.black.fields import Field
from atoll.simulation.checkers.black.happens_before import HappensBefore
from atoll.simulation.checkers.black.wording import shown, told
from atoll.simulation.history import Entry


class Kind(StrEnum):
    """How the value contradicts the witness."""

    MISSING = "missing"
    """The witness added an element that nothing can have removed, and it is not there."""
    PRESENT = "present"
    """The witness removed an element after all that could have added it, and it is there."""
    OVERWRITTEN = "overwritten"
    """The witness overwrote or deleted the value that was read (WriteCORead)."""
    INITIAL = "initial"
    """The witness wrote the register, nothing can have deleted it, and it is empty (WriteCOInitRead)."""
    BACKWARDS = "backwards"
    """The witness read a greater value of a counter that only ever grows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """One read that its own past contradicts. ``undone`` is the write whose effect the witness had ended."""

    field: Field
    read: Entry
    witness: Entry
    kind: Kind
    undone: Entry | None = None

    def holds_in(self, order: HappensBefore) -> bool:
        """Whether the contradiction needs no edge that ``order`` lacks."""
        knew = order.before(self.witness, self.read)
        return knew and (self.undone is None or order.before(self.undone, self.witness))

    def words(self) -> str:
        """What the read shows: ``the read of ... lacks 'x'``."""
        element = shown(self.witness.planned.argument if self.undone is None else self.undone.planned.argument)
        match self.kind:
            case Kind.MISSING:
                return f"{told(self.read)} lacks {element}"
            case Kind.PRESENT:
                return f"{told(self.read)} shows {element}"
            case Kind.INITIAL:
                return f"{told(self.read)} found nothing"
            case Kind.OVERWRITTEN | Kind.BACKWARDS:
                return f"{told(self.read)} saw {shown(self.read.value)}"
            case _:
                assert_never(self.kind)
