"""Small worlds and runs that only pretend: a predicate over the plan decides how they end."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from atoll.crdt.schema import Schema
from atoll.ids import CollectionName, NodeName, RegionName, ShardName, ZoneName
from atoll.keyspace.topology import Collection, Node, Region, Shard, Strategy, Topology, Zone
from atoll.simulation.campaign.runs import Runner
from atoll.simulation.history import Entry, Status
from atoll.simulation.network.latency import LatencyTable
from atoll.simulation.plan import Action, Fault, FaultKind, Plan, PlannedOperation
from atoll.simulation.result import RunResult, TraceEvent
from atoll.simulation.scenario.planning import make_plan
from atoll.simulation.scenario.scenario import DiskSettings, Expectation, Group, NetworkSettings, Scenario, Traffic
from atoll.simulation.verdict import CheckerResult, Finding, Verdict

CITIES = CollectionName("cities")
GLOBAL = ZoneName("global")
PLACES = ("frankfurt", "tokyo", "dallas")


def region(name: str, shards: int = 2) -> Region:
    return Region(
        name=RegionName(name),
        nodes=(Node(name=NodeName("n1"), grpc=f"{name}:1", http=f"{name}:2"),),
        shards=tuple(Shard(name=ShardName(f"s{number}"), dsn=None) for number in range(1, shards + 1)),
    )


def topology(names: Sequence[str] = PLACES) -> Topology:
    regions = {RegionName(name): region(name) for name in names}
    zone = Zone(name=GLOBAL, home=RegionName(names[0]), regions=tuple(regions))
    collection = Collection(name=CITIES, schema=Schema(), strategy=Strategy.HASH)
    return Topology(ring="test", regions=regions, zones={GLOBAL: zone}, collections={CITIES: collection})


def scenario(name: str = "cable-cut", *, seeds: Sequence[int] = (), text: str = "title = 'x'") -> Scenario:
    ring = topology()
    return Scenario(
        name=name,
        title="A cable is cut",
        story="One day.",
        group=Group.FAST,
        topology=ring,
        network=NetworkSettings(table=LatencyTable.built_in(), locations={place: place for place in ring.regions}),
        disk=DiskSettings(),
        traffic=(Traffic(workload="sets", collection=CITIES, field="tags", operations_per_second=10),),
        faults=(),
        swarm=None,
        seconds=60.0,
        settle_seconds=30.0,
        expectation=Expectation(),
        text=text,
        seeds=seeds,
    )


def operation(number: int, *, clients: int = 6, hears: str | None = None) -> PlannedOperation:
    place = PLACES[number % len(PLACES)]
    return PlannedOperation(
        at_seconds=float(number % 50) + 0.5,
        client=f"c{number % clients}",
        region=RegionName(place),
        workload=("sets", "counters")[number % 2],
        action=Action.ADD,
        collection=CITIES,
        key="berlin",
        field="tags",
        argument=number,
        hears=hears,
    )


def fault(number: int, kind: FaultKind = FaultKind.CUT) -> Fault:
    targets = ("frankfurt>tokyo",) if kind is FaultKind.CUT else (f"{PLACES[number % 3]}/s1",)
    return Fault(at_seconds=number * 3.0, duration_seconds=2.0, kind=kind, targets=targets, parameters={"n": number})


def plan(operations: int = 20, faults: int = 3) -> Plan:
    return Plan(
        seconds=60.0,
        settle_seconds=30.0,
        operations=[operation(number) for number in range(operations)],
        faults=[fault(number) for number in range(faults)],
    )


def arguments(of: Plan) -> set[int]:
    """The numbers of the operations in a plan."""
    return {operation.argument for operation in of.operations}


def numbers(of: Plan) -> set[float]:
    """The numbers of the faults in a plan."""
    return {fault.parameters["n"] for fault in of.faults}


def finding(anomaly: str = "lost write", at: float = 40.0) -> Finding:
    return Finding(checker="sets", anomaly=anomaly, sentence=f"{anomaly} at {at:g} s", at=at)


def result(
    of: Scenario,
    seed: int,
    run_plan: Plan,
    findings: Sequence[Finding] = (),
    *,
    bites: Mapping[str, int] | None = None,
    events: Sequence[TraceEvent] = (),
    trace: str = "",
) -> RunResult:
    """What a run leaves behind, with every operation done in a twentieth of a second."""
    verdict = Verdict.VIOLATED if findings else Verdict.VALID
    checker = CheckerResult(
        checker="sets", promise="I1: nothing acknowledged is lost", verdict=verdict, checks=200, findings=findings
    )
    history = [
        Entry(
            index=index,
            planned=each,
            session=each.client,
            began=each.at_seconds,
            ended=each.at_seconds + 0.05,
            status=Status.OK,
        )
        for index, each in enumerate(run_plan.operations)
    ]
    return RunResult(
        scenario=of.name,
        seed=seed,
        plan=run_plan,
        verdict=verdict,
        checkers=(checker,),
        history=history,
        regions=tuple(of.topology.regions),
        converged_seconds=1.0,
        simulated_seconds=run_plan.seconds + 5,
        real_seconds=0.5,
        trace_hash=trace or hashlib.sha256(f"{seed}".encode()).hexdigest(),
        faults=run_plan.faults,
        bites=bites or {},
        events=events,
    )


def runner(failing: Callable[[Plan, int], object], *, anomaly: str = "lost write") -> Runner:
    """A run that is violated when ``failing`` holds for its plan and seed."""

    def run(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
        chosen = given or plan()
        return result(of, seed, chosen, [finding(anomaly)] if failing(chosen, seed) else [])

    return run


# -- runs that cross to worker processes: functions at the top of a module ------------------------------------------


def run_well(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
    return result(of, seed, given or plan(4, 1), bites={"cut: messages dropped": 7})


def run_badly_each_third(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
    return result(of, seed, given or plan(4, 1), [finding()] if seed % 3 == 0 else [])


def run_and_die_on_two(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
    if seed == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return result(of, seed, plan(4, 1))


def run_and_hang_on_two(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
    while seed == 2:
        time.sleep(60)
    return result(of, seed, plan(4, 1))


def run_and_raise_on_two(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
    if seed == 2:
        raise RuntimeError("the harness stumbled")
    return result(of, seed, plan(4, 1))


def run_by_chance(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
    """Every process runs it in another way, from its second event on."""
    mine = f"process {os.getpid()}"
    events = [
        TraceEvent(at=1.0, lane="frankfurt/n1", kind="call", label="same"),
        TraceEvent(at=2.0, lane="tokyo/n1", kind="commit", label=mine),
    ]
    return result(of, seed, plan(4, 1), events=events if record else (), trace=mine)


def run_well_then_slowly(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
    if seed >= 100:
        time.sleep(60)
    return result(of, seed, plan(4, 1))


def run_with_idle_checkers(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
    checks = {"sometimes idle": seed % 2, "always idle": 0}
    checkers = [
        CheckerResult(
            checker=name,
            promise="I1",
            verdict=Verdict.VALID if count else Verdict.UNKNOWN,
            checks=count,
            note="" if count else "no data",
        )
        for name, count in checks.items()
    ]
    return replace(result(of, seed, plan(4, 1)), checkers=checkers, verdict=Verdict.UNKNOWN)


def run_with_toothless_faults(
    of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False
) -> RunResult:
    faults = (fault(1), fault(2, FaultKind.CLOCK))
    found = result(of, seed, replace(plan(4, 0), faults=faults), bites={"cut: messages dropped": 7 * (seed % 2)})
    return replace(found, checkers=[replace(each, legal={"stale read": 3}) for each in found.checkers])


def run_without_the_lost(of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False) -> RunResult:
    """Nothing succeeds in a region while it is lost."""
    assert given is not None
    found = result(of, seed, given)
    lost = [each for each in given.faults if each.kind is FaultKind.LOSE_REGION]
    history = [
        replace(entry, status=Status.FAILED)
        if any(
            entry.planned.region in each.targets
            and each.at_seconds <= entry.began < each.at_seconds + each.duration_seconds
            for each in lost
        )
        else entry
        for entry in found.history
    ]
    return replace(found, history=history)


def run_badly_when_it_writes(
    of: Scenario, seed: int, given: Plan | None = None, *, record: bool = False
) -> RunResult:
    """Violated as soon as anything is added."""
    chosen = given or make_plan(of, seed)
    writes = any(each.action is Action.ADD for each in chosen.operations)
    return result(of, seed, chosen, [finding()] if writes else [])
