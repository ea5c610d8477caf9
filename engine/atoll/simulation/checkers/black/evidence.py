"""All that the black-box checkers share of a run: the history by field, its order, what does not fit into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from atoll.crdt.schema import Rule
from atoll.keyspace.topology import Topology
from atoll.simulation.checkers.black import counter_reads, register_reads, set_reads
from atoll.simulation.checkers.black.contradictions import Contradiction
from atoll.simulation.checkers.black.fields import (
    Field,
    FieldKey,
    by_field,
    record_key,
    rule_of,
    shrinking_fields,
)
from atoll.simulation.checkers.black.happens_before import HappensBefore
from atoll.simulation.checkers.black.provenance import Provenance, provenance
from atoll.simulation.history import Entry, History
from atoll.simulation.plan import Action, Plan


class Evidence:
    """One run as its clients saw it. Everything derived is computed once, when first asked for."""

    def __init__(self, history: History, topology: Topology, plan: Plan, *, converged: bool) -> None:
        self.history = history
        self.topology = topology
        self.plan = plan
        self.converged = converged

    def plans(self, rule: Rule) -> bool:
        """Whether the plan touches a field of a rule."""
        return any(o.field is not None and rule_of(o, self.topology) is rule for o in self.plan.operations)

    def plans_actions(self, *actions: Action) -> bool:
        """Whether the plan does one of these."""
        return any(operation.action in actions for operation in self.plan.operations)

    @cached_property
    def fields(self) -> Sequence[Field]:
        """Every field that was touched."""
        return by_field(self.history, self.topology)

    @cached_property
    def shrinking(self) -> frozenset[FieldKey]:
        """The fields from which the plan takes something, be it with the whole record."""
        return frozenset(shrinking_fields(self.plan.operations, self.topology))

    def plans_sets(self, *, shrinking: bool) -> bool:
        """Whether the plan touches a set from which it takes something, or one from which it never does."""
        for operation in self.plan.operations:
            if operation.field is not None and rule_of(operation, self.topology) is Rule.ADD_WINS_SET:
                key = FieldKey(record_key(operation, self.topology), operation.field)
                if (key in self.shrinking) is shrinking:
                    return True
        return False

    def fields_of(self, rule: Rule) -> Iterator[Field]:
        """The fields of one rule."""
        return (field for field in self.fields if field.rule is rule)

    @cached_property
    def provenance(self) -> Provenance:
        """Where values came from."""
        return provenance(self.fields)

    @cached_property
    def order(self) -> HappensBefore:
        """What certainly knew of what, hearsay included."""
        return HappensBefore(self.history, self.provenance.sources, complete=self.converged)

    @cached_property
    def untold_order(self) -> HappensBefore:
        """The same without what clients told each other."""
        return HappensBefore(self.history, self.provenance.sources, told=False, complete=self.converged)

    @cached_property
    def contradictions(self) -> Sequence[Contradiction]:
        """Every read that its past contradicts, in the order of the reads."""
        found = [contradiction for field in self.fields for contradiction in self._of_field(field)]
        return sorted(found, key=lambda contradiction: contradiction.read.index)

    @cached_property
    def last_reads(self) -> Sequence[Entry]:
        """The reads that ended the run, answered or not."""
        return [entry for entry in self.history if entry.final]

    def _of_field(self, field: Field) -> Iterator[Contradiction]:
        match field.rule:
            case Rule.ADD_WINS_SET:
                return set_reads.contradictions(field, self.order)
            case Rule.LWW:
                return register_reads.contradictions(field, self.order)
            case Rule.COUNTER:
                return counter_reads.backwards(field, self.order)
