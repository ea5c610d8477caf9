"""Every workload on a single replica made of the production's records: all checkers must find it valid."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from tests.unit.simulation.checkers.black.telling import REGIONS, TAGS, TITLE, VISITS, topology

from atoll.causality.dot import Dot
from atoll.crdt.record import Record
from atoll.crdt.schema import Rule
from atoll.ids import Actor
from atoll.requests import Found, Get
from atoll.simulation.checkers.black_box import check_history
from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action, Plan, PlannedOperation
from atoll.simulation.scenario.scenario import Traffic
from atoll.simulation.verdict import Verdict
from atoll.simulation.workloads.calls import field_value, to_call
from atoll.simulation.workloads.registry import WORKLOADS, final_reads

TOPOLOGY = topology()
FIELD = {Rule.LWW: TITLE, Rule.COUNTER: VISITS, Rule.ADD_WINS_SET: TAGS}
PAIRS = [(workload.name, rule) for workload in WORKLOADS.values() for rule in workload.rules]
ACTOR = Actor("frankfurt/s1/1")


class OneReplica:
    """Carries operations out one after the other, each in no time."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Record] = {}
        self.history: list[Entry] = []
        self._last: dict[str, int] = {}

    def play(self, operations: Sequence[PlannedOperation], *, final: bool = False) -> None:
        for planned in operations:
            value = self._do(planned)
            began = len(self.history) * 0.002
            entry = Entry(
                index=len(self.history),
                planned=planned,
                session=planned.client,
                began=began,
                ended=began + 0.001,
                status=Status.OK,
                value=field_value(Found(value), planned) if planned.action is Action.READ else None,
                exists=value is not None,
                heard=self._last.get(planned.hears or ""),
                final=final,
            )
            self.history.append(entry)
            self._last[planned.client] = entry.index

    def _do(self, planned: PlannedOperation) -> Any:
        key, call = (planned.collection, planned.key), to_call(planned)
        record = self.records.get(key, Record.empty())
        if isinstance(call, Get):
            return record.value()
        schema = TOPOLOGY.collection(planned.collection).schema
        number = len(self.history) + 1
        self.records[key] = record.apply_and_join(call.write, Dot(ACTOR, number), number, schema)
        return None


@pytest.mark.parametrize(("workload", "rule"), PAIRS, ids=[f"{name} on {rule}" for name, rule in PAIRS])
def test_workload_on_one_replica_is_valid(workload: str, rule: Rule) -> None:
    traffic = Traffic(
        workload=workload,
        collection=next(iter(TOPOLOGY.collections)),
        field=FIELD[rule],
        operations_per_second=40.0,
        gossip=0.1,
        roaming=0.1,
    )
    operations = WORKLOADS[workload].generate(Random(f"1:{workload}:{rule}"), traffic, TOPOLOGY, 20.0)
    replica = OneReplica()
    replica.play(operations)
    replica.play(final_reads(operations, TOPOLOGY), final=True)
    plan = Plan(seconds=20.0, settle_seconds=10.0, operations=operations, faults=())
    results = check_history(replica.history, TOPOLOGY, plan, converged=True)
    assert len(replica.history) == len(operations) + len(REGIONS) * len({(o.key) for o in operations})
    assert {result.checker: result.verdict for result in results} == {
        result.checker: Verdict.VALID for result in results
    }, [(result.note, result.findings) for result in results]
    assert len(results) >= 6
