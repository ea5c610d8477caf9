"""A case: one plan on one scenario with one seed, and the failure that it is known for. Shrinking edits cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from atoll.simulation.campaign.fingerprints import digest
from atoll.simulation.campaign.runs import findings_of
from atoll.simulation.plan import Fault, Plan, PlannedOperation
from atoll.simulation.result import RunResult
from atoll.simulation.scenario.planning import at_seed, make_plan
from atoll.simulation.scenario.scenario import Scenario
from atoll.simulation.verdict import Finding


class Failure(NamedTuple):
    """What makes two failures the same: never the trace, never the sentence."""

    checker: str
    anomaly: str

    @classmethod
    def first_of(cls, result: RunResult) -> Failure | None:
        """The earliest failure of a run; ``None`` if it has none."""
        found = findings_of(result)
        return cls.by(found[0]) if found else None

    @classmethod
    def by(cls, finding: Finding) -> Failure:
        """The failure that a finding is one of."""
        return cls(finding.checker, finding.anomaly)

    def among(self, result: RunResult) -> bool:
        """Whether the run failed so, too."""
        return any(Failure.by(finding) == self for finding in findings_of(result))

    def __str__(self) -> str:
        return f"{self.anomaly} ({self.checker})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is run. ``plan`` holds all operations and faults; the scenario's own play no part."""

    scenario: Scenario
    plan: Plan
    seed: int

    @classmethod
    def of_seed(cls, scenario: Scenario, seed: int) -> Case:
        """What a seed does to a scenario, with the ring that it draws."""
        settled = replace(at_seed(scenario, seed), shape=None)
        return cls(scenario=settled, plan=make_plan(scenario, seed), seed=seed)

    def with_operations(self, operations: Sequence[PlannedOperation]) -> Case:
        """The same with other operations; of clients that do nothing any more nobody hears."""
        clients = {operation.client for operation in operations}
        kept = (
            each if each.hears is None or each.hears in clients else replace(each, hears=None) for each in operations
        )
        return replace(self, plan=replace(self.plan, operations=tuple(kept)))

    def with_faults(self, faults: Sequence[Fault]) -> Case:
        """The same with other faults."""
        return replace(self, plan=replace(self.plan, faults=tuple(faults)))

    def fingerprint(self) -> str:
        """Equal for cases that run alike. The table of latencies is left out: no reduction touches it."""
        network = self.scenario.network
        links = (network.locations, network.jitter, network.loss, network.bandwidth_mbps)
        parts = (self.plan, self.seed, self.scenario.topology, self.scenario.disk, links)
        return digest([("case", repr(parts).encode())])

    def as_scenario(self, story: str) -> Scenario:
        """A scenario that says all of it outright, so that its file fails by itself with the seed it names."""
        plan = self.plan
        return replace(
            self.scenario,
            name=f"{self.scenario.name}-minimal",
            story=story,
            traffic=(),
            swarm=None,
            stories=(),
            shape=None,
            operations=plan.operations,
            faults=plan.faults,
            seconds=plan.seconds,
            settle_seconds=plan.settle_seconds,
            scheduling=plan.scheduling,
            client_kind=plan.client_kind,
            knobs=plan.knobs,
            seeds=(self.seed,),
        )
