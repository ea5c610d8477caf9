"""What is asked of a ring: ``[[traffic]]`` and ``[[operation]]``, checked against its regions, zones and fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from atoll.configuration.problems import Problems, unknown
from atoll.crdt.schema import Rule
from atoll.errors import CallerError, InvalidConfiguration
from atoll.ids import CollectionName, RegionName, ZoneName
from atoll.keyspace.placement import resolve_zone
from atoll.keyspace.topology import Strategy, Topology
from atoll.simulation.limits import OPERATIONS_PER_PLAN_MAX
from atoll.simulation.plan import Action, PlannedOperation
from atoll.simulation.scenario.scenario import Traffic
from atoll.simulation.scenario.tables import OperationTable, ScenarioTable, TrafficTable
from atoll.simulation.scenario.validation import key_of
from atoll.simulation.workloads.registry import WORKLOADS

DEFAULT_WORKLOADS: Mapping[Rule, str] = {
    Rule.ADD_WINS_SET: "adds",
    Rule.COUNTER: "counters",
    Rule.LWW: "registers",
}
DEFAULT_OPERATIONS_PER_SECOND = 50.0
"""Of a scenario without traffic: spread over all fields of all collections."""


def read_traffic(
    table: ScenarioTable, topology: Topology, problems: Problems, *, is_drawn: bool
) -> Sequence[Traffic]:
    """The traffic, or that which suits the ring if the file has neither traffic nor operations."""
    if table.operation is not None:
        if table.traffic:
            problems.add("traffic", "given beside operations, which are then all there is: keep one of the two")
        return ()
    if table.traffic is None:
        return _default_traffic(topology)
    traffic = [_traffic(entry) for entry in table.traffic]
    for index, entry in enumerate(table.traffic):
        for key, text in _traffic_problems(entry, topology, is_drawn=is_drawn):
            problems.add(key_of(("traffic", index, key)), text)
        same = [other for other in table.traffic[:index] if _field_of(other) == _field_of(entry)]
        if same:
            problems.add(key_of(("traffic", index)), "the same workload on the same field twice: keep one of the two")
    count = sum(entry.operations_per_second for entry in table.traffic) * table.run.seconds
    if count > OPERATIONS_PER_PLAN_MAX:
        problems.add("traffic", f"{count:,.0f} operations: at most {OPERATIONS_PER_PLAN_MAX:,} are allowed")
    return traffic


def read_operations(
    entries: Sequence[OperationTable], topology: Topology, problems: Problems
) -> Sequence[PlannedOperation]:
    """The operations in their order."""
    clients = {entry.client for entry in entries}
    for index, entry in enumerate(entries):
        for key, text in _operation_problems(entry, topology, clients):
            problems.add(key_of(("operation", index, key)), text)
    return tuple(_operation(entry) for entry in entries)


# -- traffic ------------------------------------------------------------------------------------------------------


def _traffic(entry: TrafficTable) -> Traffic:
    given = entry.model_dump(exclude={"collection", "zones", "regions"})
    return Traffic(
        collection=CollectionName(entry.collection),
        zones=tuple(ZoneName(zone) for zone in entry.zones),
        regions=tuple(RegionName(region) for region in entry.regions),
        **given,
    )


def _field_of(entry: TrafficTable) -> tuple[str, str, str]:
    return entry.workload, entry.collection, entry.field


def _traffic_problems(entry: TrafficTable, topology: Topology, *, is_drawn: bool) -> Iterator[tuple[str, str]]:
    if entry.workload not in WORKLOADS:
        yield "workload", unknown("workload", entry.workload, WORKLOADS)
    if is_drawn and entry.regions:
        yield "regions", "the ring is drawn for each seed: leave them out, and clients are everywhere"
    elif not is_drawn:
        for name in entry.regions:
            if name not in topology.regions:
                yield "regions", unknown("region", name, topology.regions)
    collection = topology.collections.get(CollectionName(entry.collection))
    if collection is None:
        yield "collection", unknown("collection", entry.collection, topology.collections)
        return
    for zone in entry.zones:
        if zone not in topology.zones:
            yield "zones", unknown("zone", zone, topology.zones)
    if entry.zones and (collection.strategy is Strategy.HASH or collection.zone is not None):
        yield "zones", f"records of {entry.collection!r} are all in one zone: leave zones out, or place it 'hybrid'"
    if entry.workload in WORKLOADS:
        try:
            WORKLOADS[entry.workload].check(_traffic(entry), topology)
        except InvalidConfiguration as error:
            yield "field", str(error)


def _default_traffic(topology: Topology) -> Sequence[Traffic]:
    traffic = [
        Traffic(
            workload=DEFAULT_WORKLOADS[rule],
            collection=name,
            field=field,
            operations_per_second=1.0,
            zones=_all_zones(topology, name),
        )
        for name, collection in topology.collections.items()
        for field, rule in collection.schema.fields.items()
    ]
    each = DEFAULT_OPERATIONS_PER_SECOND / max(1, len(traffic))
    return [replace(entry, operations_per_second=each) for entry in traffic]


def _all_zones(topology: Topology, name: CollectionName) -> Sequence[ZoneName]:
    collection = topology.collections[name]
    return tuple(topology.zones) if collection.strategy is Strategy.HYBRID and collection.zone is None else ()


# -- operations ---------------------------------------------------------------------------------------------------


def _operation(entry: OperationTable) -> PlannedOperation:
    return PlannedOperation(
        at_seconds=entry.at_seconds,
        client=entry.client,
        region=RegionName(entry.region),
        workload=entry.workload,
        action=entry.action,
        collection=CollectionName(entry.collection),
        key=entry.key,
        field=entry.field,
        zone=ZoneName(entry.zone) if entry.zone is not None else None,
        argument=entry.argument,
        hears=entry.hears,
        timeout_seconds=entry.timeout_seconds,
    )


def _operation_problems(entry: OperationTable, topology: Topology, clients: set[str]) -> Iterator[tuple[str, str]]:
    if entry.region not in topology.regions:
        yield "region", unknown("region", entry.region, topology.regions)
    if entry.workload not in WORKLOADS:
        yield "workload", unknown("workload", entry.workload, WORKLOADS)
    if entry.hears is not None and entry.hears not in clients:
        yield "hears", unknown("client", entry.hears, sorted(clients))
    if entry.action not in (Action.READ, Action.DELETE) and entry.field is None:
        yield "field", f"is missing: {entry.action} works on one field"
    collection = topology.collections.get(CollectionName(entry.collection))
    if collection is None:
        yield "collection", unknown("collection", entry.collection, topology.collections)
    elif entry.zone is not None and entry.zone not in topology.zones:
        yield "zone", unknown("zone", entry.zone, topology.zones)
    else:
        try:
            resolve_zone(collection, ZoneName(entry.zone) if entry.zone is not None else None)
        except CallerError as error:
            yield "zone", str(error)
