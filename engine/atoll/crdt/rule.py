"""What every merge rule implements.

A *payload* is the rule's own immutable form of one field's state; ``empty`` is its bottom. Rules hold no state: one
instance of each lives in the registry.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from atoll.causality.dot import Dot
from atoll.crdt.entries import Knowledge, Removed
from atoll.crdt.operations import Add, Clear, FieldOperation, Increment, Remove, Set
from atoll.crdt.schema import Rule
from atoll.errors import WrongRule
from atoll.ids import Actor
from atoll.instant import Timestamp

Payload = TypeVar("Payload")

_REFUSED: Mapping[type[FieldOperation], str] = {
    Set: "cannot be assigned",
    Increment: "cannot be incremented",
    Add: "has no elements to add",
    Remove: "has no elements to remove",
    Clear: "cannot be cleared",
}


class MergeRule(ABC, Generic[Payload]):
    """One way to merge the concurrent writes of a field."""

    name: ClassVar[Rule]
    code: ClassVar[int]
    """The rule in stored bytes; frozen, never reused."""
    allowed: ClassVar[str]
    """What can be done with such a field, for messages: in words that fit every door, the command line included."""
    empty: Payload

    @abstractmethod
    def apply(
        self, field: str, operations: Sequence[FieldOperation], payload: Payload, dot: Dot, timestamp: Timestamp
    ) -> tuple[Payload, Payload, Removed]:
        """The payload after one write that applies ``operations`` in order, the write's delta, and what it removed.

        The payload after is the join of ``payload`` with the delta. Raises :class:`WrongRule` or
        :class:`InvalidValue`, naming the field.
        """

    @abstractmethod
    def replacement(self, field: str, value: Any) -> tuple[FieldOperation, ...]:
        """The operations after which the field holds exactly ``value``."""

    @abstractmethod
    def join(self, mine: Payload, theirs: Payload, my: Knowledge, their: Knowledge) -> Payload:
        """The least state above both: commutative, associative, idempotent on reachable states."""

    @abstractmethod
    def is_alive(self, payload: Payload) -> bool:
        """Whether the field has a value; one that has none is absent from the record's value."""

    @abstractmethod
    def value(self, payload: Payload) -> Any:
        """The value that a reader sees; only asked of a field that is alive."""

    @abstractmethod
    def actors(self, payload: Payload) -> set[Actor]:
        """Every actor the payload refers to."""

    @abstractmethod
    def pack(self, payload: Payload, index: dict[Actor, int]) -> list[Any]:
        """The canonical flat list of the payload, actors by ``index``; KeyError for an actor that has none."""

    @abstractmethod
    def unpack(self, body: list[Any], actors: dict[int, Actor]) -> Payload:
        """Inverse of :meth:`pack`; raises one of ``UNPACK_ERRORS`` for a list that no payload packs to."""

    def refuse(self, operation: FieldOperation) -> WrongRule:
        """The error for an operation that this rule does not have."""
        refused = _REFUSED[type(operation)]
        return WrongRule(f"field {operation.field!r} follows the rule {self.name}, which {refused}: {self.allowed}")
