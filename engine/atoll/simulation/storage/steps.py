"""What a statement does on a simulated server: a generator that yields steps and returns the answer.

A step takes time (a number of seconds), waits for a lock, or commits. Between two steps everybody else may run, and
the server may crash; within one nothing interferes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from atoll.simulation.observations import Observation
from atoll.simulation.storage.memory_catalog import CatalogContent
from atoll.simulation.storage.memory_shard import MemoryShard

T = TypeVar("T")

LockKey = tuple[Any, ...]
"""A kind (``record``, ``range``, ``applied`` …) and what identifies one of the kind."""


@dataclass(slots=True, kw_only=True)
class Content:
    """What one server keeps through a crash. ``history`` is the number of its timeline: a promotion begins a new
    one."""

    shard: MemoryShard
    catalog: CatalogContent = field(default_factory=CatalogContent)
    history: int = 1


class Lock(NamedTuple):
    """Wait until the transaction holds this lock; it is held to the transaction's end."""

    key: LockKey
    shared: bool = False


class Commit(NamedTuple):
    """Flush, then let the effect be seen, then give up the locks."""

    effect: Callable[[Content], object]
    tell: Callable[[Content, float], Observation] | None = None
    """Makes what the observer is told, from what was there before the effect and the true time."""


Step = float | Lock | Commit
Work = Generator[Step, None, T]
"""A statement at work."""


class Transaction:
    """One transaction of one connection, or one that was prepared."""

    __slots__ = ("content", "keys", "number", "process", "serial", "staged")

    def __init__(self, serial: int, content: Content) -> None:
        self.serial = serial
        """Who holds its locks."""
        self.content = content
        self.process = ""
        """Whose connection it is on."""
        self.number: int | None = None
        """Its number for snapshots: drawn when it first writes, as Postgres does."""
        self.keys: Sequence[LockKey] = ()
        """What it holds once it is prepared."""
        self.staged: Commit | None = None
        """What a transaction of several statements will commit."""

    def numbered(self) -> int:
        """Its number, drawn now if it has none."""
        if self.number is None:
            self.number = self.content.shard.begin()
        return self.number


class ConnectionLost(Exception):
    """The connection broke, could not be made, or nobody answered in time. What was asked may have been done."""


class Refused(Exception):
    """The server refused a statement for its own reasons, such as a full disk; the transaction was rolled back."""
