"""What a workload is: a name, the merge rules it can work on, and a script that plans operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from atoll.crdt.schema import Rule
from atoll.errors import InvalidConfiguration
from atoll.keyspace.topology import Topology
from atoll.simulation.plan import PlannedOperation
from atoll.simulation.scenario.scenario import Traffic
from atoll.simulation.workloads.stage import Stage, rule_of

Script = Callable[[Stage], None]
"""Plans the operations of one traffic on its stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One thing that applications do, on any collection and any field whose merge rule is in ``rules``."""

    name: str
    title: str
    """What it does and what it finds out, for people."""
    rules: Sequence[Rule]
    script: Script

    def check(self, traffic: Traffic, topology: Topology) -> None:
        """Raise :class:`InvalidConfiguration` unless this workload can work on the traffic's field."""
        schema = topology.collection(traffic.collection).schema
        if schema.strict and traffic.field not in schema.fields:
            known = ", ".join(sorted(schema.fields)) or "none"
            raise InvalidConfiguration(
                f"the workload {self.name!r} works on {traffic.collection}.{traffic.field}, which is not declared in "
                f"a strict collection: declare it, or name one of {known}"
            )
        rule = rule_of(traffic, topology)
        if rule not in self.rules:
            wanted = " or ".join(self.rules)
            raise InvalidConfiguration(
                f"the workload {self.name!r} works on a field whose merge rule is {wanted}, but "
                f"{traffic.collection}.{traffic.field} is {rule}: name another field or another workload"
            )

    def generate(
        self, random: Random, traffic: Traffic, topology: Topology, seconds: float
    ) -> list[PlannedOperation]:
        """The operations of ``traffic`` in the first ``seconds``, by time. Equal draws, equal operations.

        Clients are named ``region/c1``, ``region/c2``, ...; several kinds of traffic share them. Values are unique
        per collection, field and workload. Raises what :meth:`check` raises.
        """
        self.check(traffic, topology)
        stage = Stage(self.name, random, traffic, topology, seconds)
        self.script(stage)
        return stage.in_order()
