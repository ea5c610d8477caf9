"""Operations on their way through the engine, and the batches that callers wait for.

A :class:`Batch` is one request: its operations share a session, a deadline and a sink for their results. A
:class:`Pending` is one operation; whoever holds it finishes it exactly once, later results are dropped. There is no
timer and no task per operation: the engine looks at the deadlines of all batches now and then (:class:`Deadlines`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from atoll.causality.cut import Cut
from atoll.crdt.operations import Write
from atoll.crdt.schema import Schema
from atoll.errors import AtollError, DeadlineExceeded, OutcomeUnknown, SessionNotCovered
from atoll.ids import RecordId
from atoll.node.session import Session
from atoll.requests import Operation, Result

OnResult = Callable[[int, Result], None]
"""Takes the index of an operation in its batch, and its result."""


class Doubt(NamedTuple):
    """An attempt whose outcome is unknown: the context it was made on, and the greatest counter of its row."""

    context: bytes
    counter: int


class Stage(IntEnum):
    """How far a write has come."""

    WAITING = 0
    SENT = 1
    """In the hands of the shard: if the deadline passes now, the outcome is unknown."""


class Batch:
    """One request: operations that share a session, a deadline and a sink."""

    __slots__ = (
        "_on_finished", "cut", "deadline", "failures", "on_result", "pendings", "remote", "session", "unfinished",
    )  # fmt: skip

    def __init__(self, session: Session, cut: Cut, remote: Cut, deadline: float, on_result: OnResult) -> None:
        """Writes depend on ``cut``; reads must reflect ``remote``, its entries of other regions. ``deadline`` is in
        the clock's monotonic time."""
        self.session = session
        self.cut = cut
        self.remote = remote
        self.deadline = deadline
        self.on_result = on_result
        self.pendings: list[Pending] = []
        self.unfinished = 0
        self.failures: list[tuple[Operation, AtollError]] = []
        self._on_finished: Callable[[Batch], None] | None = None

    def add(self, index: int, operation: Operation) -> Pending:
        """Take an operation in."""
        pending = Pending(self, index, operation)
        self.pendings.append(pending)
        self.unfinished += 1
        return pending

    def seal(self, on_finished: Callable[[Batch], None]) -> None:
        """All operations are in: tell ``on_finished`` once all are finished, which may be now."""
        self._on_finished = on_finished
        if not self.unfinished:
            on_finished(self)

    def finished_one(self) -> None:
        """One operation has its result."""
        self.unfinished -= 1
        if not self.unfinished and self._on_finished is not None:
            self._on_finished(self)

    def expire(self) -> None:
        """The deadline has passed: finish what is unfinished with the error that fits."""
        for pending in self.pendings:
            if not pending.finished:
                pending.finish(pending.why_late())


class Pending:
    """One operation between its request and its result."""

    __slots__ = (
        "batch", "dependencies", "doubts", "finished", "id", "index", "missing", "operation", "reached", "schema",
        "stage", "tries", "trouble", "waits_since", "write",
    )  # fmt: skip

    id: RecordId
    schema: Schema
    write: Write

    def __init__(self, batch: Batch, index: int, operation: Operation) -> None:
        self.batch = batch
        self.index = index
        self.operation = operation
        self.dependencies = Cut.EMPTY
        self.doubts: tuple[Doubt, ...] = ()
        self.finished = False
        self.missing: Cut | None = None
        self.reached = Cut.EMPTY
        self.stage = Stage.WAITING
        self.tries = 0
        self.trouble: AtollError | None = None
        self.waits_since = 0.0

    def finish(self, result: Result) -> None:
        """Hand the result to the caller; only the first result counts."""
        if self.finished:
            return
        self.finished = True
        batch = self.batch
        if isinstance(result, AtollError):
            batch.failures.append((self.operation, result))
        batch.on_result(self.index, result)
        batch.finished_one()

    def why_late(self) -> AtollError:
        """The error of an operation whose deadline has passed."""
        name = f"{self.operation.collection}/{self.operation.key}"
        if self.stage is Stage.SENT or self.doubts:
            cause = f" ({self.trouble})" if self.trouble else ""
            return OutcomeUnknown(
                f"the write of {name} was sent and not confirmed in time{cause}; read before you repeat it"
            )
        if self.missing is not None:
            return SessionNotCovered(_not_covered(name, self.missing, self.reached))
        if self.trouble is not None:
            return self.trouble
        return DeadlineExceeded(
            f"{name} was still waiting for its turn when the deadline passed; nothing was written"
        )


def _not_covered(name: str, missing: Cut, reached: Cut) -> str:
    gaps = ", ".join(f"batch {number} of {origin} (here: {reached.at(origin)})" for origin, number in missing.items())
    return (
        f"{name}: the session has seen what this region has not yet: {gaps}; wait, ask the region where the session "
        "was, or start a new session"
    )


class Deadlines:
    """The batches in flight, watched for the moment they are late."""

    __slots__ = ("_live",)

    def __init__(self) -> None:
        self._live: dict[Batch, None] = {}

    def watch(self, batch: Batch) -> None:
        """Expire the batch when it is late, unless it is finished before."""
        self._live[batch] = None

    def forget(self, batch: Batch) -> None:
        """The batch is finished."""
        self._live.pop(batch, None)

    def expire(self, now: float) -> None:
        """Finish every batch whose deadline has passed."""
        for batch in [batch for batch in self._live if batch.deadline <= now]:
            batch.expire()

    def expire_all(self) -> None:
        """Finish every batch: the engine closes."""
        for batch in list(self._live):
            batch.expire()

    def __len__(self) -> int:
        return len(self._live)
