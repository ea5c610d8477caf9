"""Doing to a world what its plan says: each fault at its time, and undone at its end.

Faults overlap. What is broken twice is mended when the last of its faults ends, so every subset of a plan's faults is
a plan that can be executed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, assert_never

from atoll.ids import Origin, RegionName, ShardName
from atoll.simulation.loop.clocks import HostClock
from atoll.simulation.loop.hosts import Host
from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.world.world import World

Mend = Callable[[], Any]


class Faults:
    """Executes the faults of one plan. ``bites`` counts what its own hands did; network and storage count theirs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._holds: Counter[tuple[str, str]] = Counter()
        self._open: dict[int, Mend] = {}
        self.bites: Counter[str] = Counter()
        self.executed: list[Fault] = []

    async def run(self, faults: Sequence[Fault], until_seconds: float, now: Callable[[], float]) -> None:
        """Begin and end each fault at its time; at the end of traffic everything is mended, due or not."""
        moments: list[tuple[float, int, int]] = []
        for index, fault in enumerate(faults):
            moments.append((fault.at_seconds, 1, index))
            moments.append((fault.at_seconds + fault.duration_seconds, 0, index))
        for at_seconds, begins, index in sorted(moments):
            if at_seconds >= until_seconds:
                break
            await self._world.sleep(at_seconds - now())
            if begins:
                self._begin(index, faults[index])
            else:
                self._end(index, faults[index])
        await self._world.sleep(until_seconds - now())
        for index in sorted(self._open):
            self._end(index, faults[index])

    def _begin(self, index: int, fault: Fault) -> None:
        self.executed.append(fault)
        self._world.loop.trace.note("fault", " ".join(fault.targets), fault.story or fault.kind)
        mends = [self._break(fault, target) for target in fault.targets]

        def mend() -> None:
            for undo in reversed(mends):
                undo()

        self._open[index] = mend

    def _end(self, index: int, fault: Fault) -> None:
        mend = self._open.pop(index, None)
        if mend is not None:
            self._world.loop.trace.note("mend", " ".join(fault.targets), fault.story or fault.kind)
            mend()

    def _held(self, what: str, target: str, break_it: Callable[[], Any], mend_it: Callable[[], Any]) -> Mend:
        """Break something that several faults may hold broken; returns how this one lets go."""
        self._holds[what, target] += 1
        if self._holds[what, target] == 1:
            break_it()

        def let_go() -> None:
            self._holds[what, target] -= 1
            if not self._holds[what, target]:
                mend_it()

        return let_go

    def _break(self, fault: Fault, target: str) -> Mend:
        match fault.kind:
            case FaultKind.CUT | FaultKind.DEGRADE:
                return self._break_link(fault, target)
            case FaultKind.CRASH_NODE | FaultKind.PAUSE_NODE | FaultKind.CLOCK:
                return self._break_node(fault, target)
            case FaultKind.LOSE_REGION:
                return self._lose(RegionName(target))
            case (
                FaultKind.CRASH_SHARD
                | FaultKind.STALL_SHARD
                | FaultKind.SLOW_SHARD
                | FaultKind.FULL_SHARD
                | FaultKind.AMBIGUOUS_SHARD
                | FaultKind.FAILOVER_SHARD
                | FaultKind.PREPARED_TRANSACTION
            ):
                return self._break_shard(fault, target)
            case kind:
                assert_never(kind)

    def _break_link(self, fault: Fault, target: str) -> Mend:
        network = self._world.network
        source, _, sink = (RegionName(part) for part in target.partition(">"))
        if fault.kind is FaultKind.CUT:
            network.cut(source, sink, reset=bool(fault.parameters.get("reset", 0)))
            return lambda: network.heal(source, sink)
        handle = network.degrade(source, sink, **fault.parameters)
        return lambda: network.mend(handle)

    def _break_node(self, fault: Fault, target: str) -> Mend:
        node = self._world.nodes[target]
        if fault.kind is FaultKind.CRASH_NODE:
            return self._held("down", target, lambda: self._crash(target), node.restart)
        if fault.kind is FaultKind.CLOCK:
            self.bites["clock: clocks shifted"] += 1
            return _shift_clock(node.host.clock, fault)
        return self._held("pause", target, lambda: self._pause(node.host), lambda: self._resume(node.host))

    def _pause(self, host: Host) -> None:
        if host.alive:  # a dead process cannot be stopped, and the next one begins running
            self._world.loop.pause(host)
            self.bites["pause_node: processes stopped"] += 1

    def _resume(self, host: Host) -> None:
        if host.paused:
            self._world.loop.resume(host)

    def _crash(self, name: str, power_lost: bool | None = None) -> None:
        self.bites["crash_node: tasks killed"] += self._world.nodes[name].crash(power_lost)

    def _lose(self, region: RegionName) -> Mend:
        """Nodes and databases of a region die together."""
        world = self._world
        mends = [
            self._held("down", name, lambda name=name: self._crash(name, True), node.restart)  # type: ignore[misc]
            for name, node in world.nodes.items()
            if node.region == region
        ]
        for origin, database in world.databases.items():
            if origin.region == region:
                mends.append(
                    self._held("server", str(origin), partial(database.crash, silent=True), database.restart)
                )
        self.bites["lose_region: regions lost"] += 1

        def mend() -> None:
            for undo in reversed(mends):
                undo()

        return mend

    def _break_shard(self, fault: Fault, target: str) -> Mend:
        region, _, shard = target.partition("/")
        database = self._world.databases[Origin(RegionName(region), ShardName(shard))]
        amount = fault.parameters.get
        match fault.kind:
            case FaultKind.CRASH_SHARD:
                return self._held("server", target, database.crash, database.restart)
            case FaultKind.STALL_SHARD:
                return self._held("stall", target, database.stall, database.unstall)
            case FaultKind.SLOW_SHARD:
                return self._held("slow", target, lambda: database.slow(amount("factor", 20.0)), database.unslow)
            case FaultKind.FULL_SHARD:
                return self._held("full", target, database.fill, database.empty)
            case FaultKind.AMBIGUOUS_SHARD:
                return self._held("doubt", target, lambda: database.doubt(amount("share", 0.3)), database.undoubt)
            case FaultKind.FAILOVER_SHARD:
                return self._held(
                    "failover", target, lambda: database.fail_over(amount("lag_seconds", 0.0)), database.fail_back
                )
            case _:
                return self._held(
                    "prepared",
                    target,
                    database.prepare_and_forget,
                    lambda: database.resolve(commit=bool(amount("commit", 1))),
                )


def _shift_clock(clock: HostClock, fault: Fault) -> Mend:
    """An offset for the length of the fault, or for good; a drift for its length."""
    offset_ms = fault.parameters.get("offset_ms", 0.0)
    clock.set_offset_ms(clock.offset_ms + offset_ms)
    drift_ppm = fault.parameters.get("drift_ppm", 0.0)
    clock.set_drift_ppm(clock.drift_ppm + drift_ppm)

    def mend() -> None:
        clock.set_drift_ppm(clock.drift_ppm - drift_ppm)
        if not fault.parameters.get("keep", 0):
            clock.set_offset_ms(clock.offset_ms - offset_ms)

    return mend
