"""Parcels: operations of one remote client on their way to a node and back.

A parcel is what travels in one request. When it is too large or holds something that cannot be encoded it is split,
down to the one operation that is to blame; when its connection breaks its reads go again and its writes are unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from atoll.client.door import OnResult
from atoll.errors import AtollError, DeadlineExceeded, OutcomeUnknown, ValueTooLarge
from atoll.limits import BATCH_OPERATIONS_MAX, DEADLINE_SWEEP_SECONDS
from atoll.requests import Consistency, Get, Operation, Reply, Request, Result


@dataclass(frozen=True, slots=True)
class Item:
    """One operation and where its result goes."""

    operation: Operation
    index: int
    on_result: OnResult

    def settle(self, result: Result) -> None:
        """Hand the result over."""
        self.on_result(self.index, result)


@dataclass(slots=True)
class Parcel:
    """Operations that travel together. ``deadline`` is in monotonic seconds of the client's clock."""

    items: Sequence[Item]
    consistency: Consistency
    deadline: float
    tokens: tuple[str, ...] = ()
    """What the request presented, once it is sent."""
    sent_at: float = 0.0
    """When it was sent; 0.0 before."""
    is_part: bool = False
    """Cut from a parcel that was refused or broken: it travels by itself, or the culprit would never be found."""

    def request(self, now: float) -> Request:
        """The request to send now."""
        return Request(
            operations=[item.operation for item in self.items],
            tokens=self.tokens,
            consistency=self.consistency,
            deadline_seconds=max(self.deadline - now, 0.0),
        )

    def may_carry(self, other: Parcel) -> bool:
        """Whether the other's operations may travel with these: the same promise to keep, nearly the same time to
        keep it in (the earlier deadline holds for both), and room."""
        return (
            not (self.is_part or other.is_part)
            and self.consistency is other.consistency
            and abs(other.deadline - self.deadline) <= DEADLINE_SWEEP_SECONDS
            and len(self.items) + len(other.items) <= BATCH_OPERATIONS_MAX
        )

    def halves(self) -> Sequence[Parcel]:
        """Two parcels of half the operations each."""
        assert len(self.items) > 1, "one operation cannot be split"
        middle = len(self.items) // 2
        return [self.part(self.items[:middle]), self.part(self.items[middle:])]

    def part(self, items: Iterable[Item]) -> Parcel:
        """Some of the operations, yet to be sent."""
        return Parcel(list(items), self.consistency, self.deadline, is_part=True)

    def settle(self, result: Result) -> None:
        """One result for all."""
        for item in self.items:
            item.settle(result)

    def answered(self, reply: Reply, again: Callable[[Parcel], None]) -> None:
        """Hand out the results. A record that was left out because the reply was full is asked for by itself."""
        alone = len(self.items) == 1
        for item, result in zip(self.items, reply.results, strict=True):
            if isinstance(result, ValueTooLarge) and isinstance(item.operation, Get) and not alone:
                again(self.part([item]))
            else:
                item.settle(result)

    def broken(self, error: AtollError) -> Parcel | None:
        """The connection broke while this was in flight: writes are unknown. Returns the reads, to be sent again."""
        reads = [item for item in self.items if isinstance(item.operation, Get)]
        unknown = OutcomeUnknown(f"the write was sent and not answered; read before you repeat it: {error}")
        for item in self.items:
            if not isinstance(item.operation, Get):
                item.settle(unknown)
        return self.part(reads) if reads else None

    def late_in_flight(self) -> None:
        """No answer came in time."""
        for item in self.items:
            name = f"{item.operation.collection}/{item.operation.key}"
            if isinstance(item.operation, Get):
                item.settle(DeadlineExceeded(f"{name}: the node did not answer before the deadline"))
            else:
                item.settle(OutcomeUnknown(f"{name}: the node did not answer in time; read before you repeat it"))
