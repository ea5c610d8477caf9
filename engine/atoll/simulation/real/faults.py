"""Doing to real processes what a plan says: each fault at its time, and undone at its end.

Faults overlap: what is broken twice is mended when the last of its faults ends. Killing and cutting take no time;
what takes some (a server that recovers, a node that starts) goes on beside the plan's other moments, and the run
waits for it before it asks whether the ring agrees.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

from atoll.ids import Origin, RegionName, ShardName
from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.real import forgotten
from atoll.simulation.real.ring import RealNode, RealRing, RealServer
from atoll.simulation.world.clients import Surroundings

Deed = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """One thing that can be broken and mended. Several faults may hold the same ``what`` broken."""

    what: tuple[str, ...]
    break_it: Deed
    mend_it: Deed


class RealFaults:
    """Executes the faults of one plan, all of which must be feasible. ``bites`` counts what its own hands did."""

    def __init__(self, ring: RealRing, around: Surroundings) -> None:
        self._ring = ring
        self._around = around
        self._holds: Counter[tuple[str, ...]] = Counter()
        self._open: dict[int, Sequence[Harm]] = {}
        self._last: dict[tuple[str, ...], asyncio.Task[None]] = {}
        self.bites: Counter[str] = Counter()
        self.executed: list[Fault] = []

    async def run(self, faults: Sequence[Fault], until_seconds: float, now: Callable[[], float]) -> None:
        """Begin and end each fault at its time; at the end of traffic everything is mended, due or not.

        Returns when all is mended and has come back as far as a process can tell. Raises what breaking and mending
        raised: then the run proves nothing.
        """
        moments: list[tuple[float, int, int]] = []
        for index, fault in enumerate(faults):
            moments.append((fault.at_seconds, 1, index))
            moments.append((fault.at_seconds + fault.duration_seconds, 0, index))
        for at_seconds, begins, index in sorted(moments):
            if at_seconds >= until_seconds:
                break
            await self._around.sleep(max(0.0, at_seconds - now()))
            if begins:
                self._begin(index, faults[index])
            else:
                self._end(index, faults[index])
        await self._around.sleep(max(0.0, until_seconds - now()))
        for index in sorted(self._open):
            self._end(index, faults[index])
        await asyncio.gather(*self._last.values())

    def _begin(self, index: int, fault: Fault) -> None:
        self.executed.append(fault)
        self._around.note("fault", " ".join(fault.targets), fault.story or fault.kind)
        harms = [harm for target in fault.targets for harm in self._harms(index, fault, target)]
        self._open[index] = harms
        for harm in harms:
            self._holds[harm.what] += 1
            if self._holds[harm.what] == 1:
                self._next(harm.what, harm.break_it)

    def _end(self, index: int, fault: Fault) -> None:
        harms = self._open.pop(index, None)
        if harms is None:
            return
        self._around.note("mend", " ".join(fault.targets), fault.story or fault.kind)
        for harm in reversed(harms):
            self._holds[harm.what] -= 1
            if not self._holds[harm.what]:
                self._next(harm.what, harm.mend_it)

    def _next(self, what: tuple[str, ...], deed: Deed) -> None:
        """Do it once the deed before to the same thing is done: a server is not killed while it starts."""
        before = self._last.get(what)

        async def in_turn() -> None:
            if before is not None:
                await before
            await deed()

        self._last[what] = asyncio.get_running_loop().create_task(in_turn())

    # -- what can be broken ---------------------------------------------------------------------------------------

    def _harms(self, index: int, fault: Fault, target: str) -> Sequence[Harm]:
        ring = self._ring
        match fault.kind:
            case FaultKind.CUT | FaultKind.DEGRADE:
                return [self._of_link(index, fault, target)]
            case FaultKind.CRASH_NODE:
                return [self._down(ring.nodes[target])]
            case FaultKind.PAUSE_NODE:
                return [self._halted(ring.nodes[target])]
            case FaultKind.CRASH_SHARD:
                return [self._server_down(ring.servers[_origin(target)])]
            case FaultKind.STALL_SHARD:
                return [self._server_halted(ring.servers[_origin(target)])]
            case FaultKind.PREPARED_TRANSACTION:
                return [self._prepared(index, fault, ring.servers[_origin(target)])]
            case FaultKind.LOSE_REGION:
                self.bites["lose_region: regions lost"] += 1
                return [
                    *(self._down(node) for node in ring.nodes.values() if node.region == target),
                    *(self._server_down(each) for origin, each in ring.servers.items() if origin.region == target),
                ]
            case (
                FaultKind.CLOCK
                | FaultKind.SLOW_SHARD
                | FaultKind.FULL_SHARD
                | FaultKind.AMBIGUOUS_SHARD
                | FaultKind.FAILOVER_SHARD
            ):
                raise AssertionError(f"{fault.kind} is not feasible here and has to be left out of the plan before")
            case kind:
                assert_never(kind)

    def _of_link(self, index: int, fault: Fault, target: str) -> Harm:
        """Links count their own cuts and degradations, so each fault holds something of its own."""
        cables = self._ring.cables
        source, _, sink = (RegionName(part) for part in target.partition(">"))
        handles = []

        async def break_it() -> None:
            if fault.kind is FaultKind.CUT:
                self.bites["cut: links cut"] += 1
                cables.cut(source, sink, reset=bool(fault.parameters.get("reset", 0)))
            else:
                handles.append(cables.degrade(source, sink, fault.parameters))

        async def mend_it() -> None:
            if fault.kind is FaultKind.CUT:
                cables.heal(source, sink)
            else:
                cables.mend(handles.pop())

        return Harm(what=("link", target, str(index)), break_it=break_it, mend_it=mend_it)

    def _down(self, node: RealNode) -> Harm:
        async def break_it() -> None:
            self.bites["crash_node: processes killed"] += node.kill()
            await node.process.exited()

        async def mend_it() -> None:
            node.start()

        return Harm(what=("down", node.name), break_it=break_it, mend_it=mend_it)

    def _halted(self, node: RealNode) -> Harm:
        async def break_it() -> None:
            self.bites["pause_node: processes stopped"] += node.halt()

        async def mend_it() -> None:
            node.resume()

        return Harm(what=("halted", node.name), break_it=break_it, mend_it=mend_it)

    def _server_down(self, each: RealServer) -> Harm:
        async def break_it() -> None:
            self.bites["crash_shard: servers killed"] += each.kill()

        return Harm(what=("server", str(each.origin)), break_it=break_it, mend_it=each.start)

    def _server_halted(self, each: RealServer) -> Harm:
        async def break_it() -> None:
            self.bites["stall_shard: servers stopped"] += each.halt()

        async def mend_it() -> None:
            each.resume()

        return Harm(what=("stall", str(each.origin)), break_it=break_it, mend_it=mend_it)

    def _prepared(self, index: int, fault: Fault, each: RealServer) -> Harm:
        """A server that is down at the moment is waited for: the stranger tries again, too."""
        name = f"forgotten {index}"

        async def break_it() -> None:
            await self._after_mending(each)
            locked = await forgotten.prepare_and_forget(each.dsn, name)
            if locked is not None:
                self.bites["prepared_transaction: transactions forgotten"] += 1
                self.bites["prepared_transaction: records locked"] += locked

        async def mend_it() -> None:
            await self._after_mending(each)
            await forgotten.resolve(each.dsn, name, commit=bool(fault.parameters.get("commit", 1)))

        return Harm(what=("prepared", str(each.origin), str(index)), break_it=break_it, mend_it=mend_it)

    async def _after_mending(self, each: RealServer) -> None:
        while self._holds["server", str(each.origin)] or self._holds["stall", str(each.origin)]:
            await self._around.sleep(0.05)
        for what in (("server", str(each.origin)), ("stall", str(each.origin))):
            if what in self._last:
                await self._last[what]


def _origin(target: str) -> Origin:
    region, _, shard = target.partition("/")
    return Origin(RegionName(region), ShardName(shard))
