"""What the clients of a run saw: one entry an operation, stamped with true simulated time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from atoll.causality.cut import Cut
from atoll.simulation.plan import PlannedOperation


class Status(StrEnum):
    """What is known of an operation."""

    OK = "ok"
    FAILED = "failed"
    """Certainly did not happen. Reads that were not answered are failed, too."""
    UNKNOWN = "unknown"
    """A write that may have happened, or may yet happen; concurrent with everything after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One operation as its client saw it. ``index`` is its place in the history, in the order of beginnings."""

    index: int
    planned: PlannedOperation
    session: str
    """The client and, after each operation of unknown outcome, a new number, for a session ends there: ``c1``,
    ``c1'2``."""
    began: float
    ended: float
    status: Status
    value: Any = None
    """What a read returned for its field, or ``None`` if there is no such record or field; sets as sorted tuples."""
    exists: bool = False
    """Whether a read found the record."""
    error: str = ""
    """The code of the typed error (``session_not_covered``); empty if it went well."""
    message: str = ""
    heard: int | None = None
    """The last entry of the client it heard from (:attr:`PlannedOperation.hears`), when the token was taken."""
    seen: Cut = Cut.EMPTY
    """Grey box: what the session's token covered when the operation had ended."""
    final: bool = False
    """A read of the end, after everything was mended and the ring had its time to converge."""


History = Sequence[Entry]
