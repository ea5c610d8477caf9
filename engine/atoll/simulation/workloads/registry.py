"""The workloads there are, by the name that scenarios use, and the reads that end a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from atoll.crdt.schema import Rule
from atoll.ids import CollectionName, RegionName, ZoneName
from atoll.keyspace.placement import resolve_zone
from atoll.keyspace.topology import Topology
from atoll.simulation.plan import Action, PlannedOperation
from atoll.simulation.workloads import journeys, sets, single_fields
from atoll.simulation.workloads.workload import Workload

_ALL: Final = (
    Workload(
        name="adds",
        title="unique elements are added and must never be lost",
        rules=(Rule.ADD_WINS_SET,),
        script=sets.add,
    ),
    Workload(
        name="add_remove",
        title="a few elements are added and removed, often in two regions at once",
        rules=(Rule.ADD_WINS_SET,),
        script=sets.add_and_remove,
    ),
    Workload(
        name="counters",
        title="unique amounts are added up, and a few counters reset",
        rules=(Rule.COUNTER,),
        script=single_fields.count,
    ),
    Workload(
        name="registers",
        title="unique values overwrite each other, often in two regions at once",
        rules=(Rule.LWW,),
        script=single_fields.overwrite,
    ),
    Workload(
        name="sessions",
        title="clients move between regions and must find all that they have written and read",
        rules=(Rule.LWW, Rule.ADD_WINS_SET, Rule.COUNTER),
        script=journeys.travel,
    ),
    Workload(
        name="chains",
        title="clients tell each other of posts and comment on them: no comment without its post",
        rules=(Rule.LWW, Rule.ADD_WINS_SET),
        script=journeys.comment,
    ),
    Workload(
        name="deletes",
        title="records are deleted while others write them",
        rules=(Rule.LWW, Rule.ADD_WINS_SET, Rule.COUNTER),
        script=single_fields.delete_and_update,
    ),
)

WORKLOADS: Final[Mapping[str, Workload]] = MappingProxyType({workload.name: workload for workload in _ALL})
"""By the name that scenarios use."""

FINAL_WORKLOAD: Final = "final"
"""The workload of the reads that end a run."""

assert len(WORKLOADS) == len(_ALL), "names are unique"


def final_reads(operations: Sequence[PlannedOperation], topology: Topology) -> list[PlannedOperation]:
    """Reads of every field that ``operations`` touch, in every region that hosts its zone; region by region, fields
    in the order in which they are first touched."""
    touched: dict[tuple[CollectionName, ZoneName, str, str], PlannedOperation] = {}
    for operation in operations:
        zone = resolve_zone(topology.collection(operation.collection), operation.zone)
        if operation.field is not None:
            touched.setdefault((operation.collection, zone, operation.key, operation.field), operation)
    return [
        _final_read(operation, region)
        for region in topology.regions
        for (_, zone, _, _), operation in touched.items()
        if region in topology.zone(zone).regions
    ]


def _final_read(operation: PlannedOperation, region: RegionName) -> PlannedOperation:
    return PlannedOperation(
        at_seconds=0.0,
        client=f"{region}/last",
        region=region,
        workload=FINAL_WORKLOAD,
        action=Action.READ,
        collection=operation.collection,
        key=operation.key,
        field=operation.field,
        zone=operation.zone,
    )
