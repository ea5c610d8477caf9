"""One run on real processes: a scenario and a seed, the same plan as in the simulated world, and the judgement of it.

Phases as there: the ring starts; traffic and faults for the plan's time; everything is mended and the ring gets its
time to agree; every region is read once more; the checkers speak, those that see what clients saw. Time is this
machine's, so no run is ever repeated exactly, and this machine's CPU and disks are in every figure.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from atoll.client.door import Door
from atoll.client.remote import RemoteDoor
from atoll.ids import RegionName
from atoll.operating.access import RingAccess
from atoll.simulation.checkers.black_box import check_history
from atoll.simulation.limits import (
    PROCESS_LOOK_SECONDS,
    REAL_MEND_SECONDS_MAX,
    REAL_SAMPLE_SECONDS,
    SETTLE_LOOK_SECONDS,
)
from atoll.simulation.plan import Plan, PlannedOperation
from atoll.simulation.real.cables import Cables
from atoll.simulation.real.capabilities import Machine, probe
from atoll.simulation.real.deaths import Death, deaths
from atoll.simulation.real.faults import RealFaults
from atoll.simulation.real.feasible import Feasible, feasible
from atoll.simulation.real.looking import Watch, settled
from atoll.simulation.real.residency import residency
from atoll.simulation.real.ring import RealRing
from atoll.simulation.result import RunResult, Sample, TraceEvent
from atoll.simulation.scenario.planning import at_seed, make_plan
from atoll.simulation.scenario.scenario import Scenario
from atoll.simulation.stopwatch import Stopwatch
from atoll.simulation.verdict import CheckerResult, worst
from atoll.simulation.workloads.registry import final_reads
from atoll.simulation.world import judging
from atoll.simulation.world.clients import Recorder, SimulatedClient, Surroundings, by_client
from atoll.system_clock import SystemClock
from atoll.system_entropy import SystemEntropy


def run_for_real(scenario: Scenario, seed: int, plan: Plan | None = None, *, directory: Path) -> RunResult:
    """Run and judge on this machine; ``plan`` instead of the one the seed makes. Everything is below ``directory``,
    which must be empty or absent and is left as the run leaves it: data, logs, configuration files.

    To be called from the main thread: the kernel ends the processes together with the thread that started them.
    Raises what keeps the ring from starting, and what keeps a fault from being done or undone.
    """
    settled_scenario = at_seed(scenario, seed)
    doable = feasible(plan or make_plan(settled_scenario, seed), settled_scenario.network)
    watch = Stopwatch()
    performance = RealPerformance(settled_scenario, seed, doable, probe(), directory)
    asyncio.run(performance.play())
    return performance.judged(seed, watch.seconds())


class RealPerformance:
    """One run while it runs."""

    def __init__(self, scenario: Scenario, seed: int, doable: Feasible, machine: Machine, directory: Path) -> None:
        self._scenario = scenario
        self._plan = doable.plan
        self._skipped = doable.skipped
        self._machine = machine
        self._clock = SystemClock()
        self._entropy = SystemEntropy()
        self._events: list[TraceEvent] = []
        self._around = Surroundings(now=self._clock.monotonic, sleep=self._clock.sleep, note=self._note)
        self._recorder = Recorder(self._around, epoch=self._clock.monotonic())
        self._cables = Cables(scenario.network, seed=seed, clock=self._clock)
        self._ring = RealRing.plan(scenario.topology, self._cables, directory, self._clock)
        self._faults = RealFaults(self._ring, self._around)
        self._samples: Sequence[Sample] = ()
        self._deaths: list[Death] = []
        self._converged_seconds: float | None = None
        self._left: Sequence[str] = ()
        self._ended = 0.0
        self._residency: CheckerResult | None = None

    async def play(self) -> None:
        """All phases; whatever happens, no process is left."""
        try:
            await self._ring.start()
            await self._ring.open_to_clients(distant=self._scenario.network.client_latency_ms > 0)
            async with RingAccess(self._ring.topology) as access:
                await self._play(access)
        finally:
            await self._ring.stop()

    async def _play(self, access: RingAccess) -> None:
        await settled(access, self._around, REAL_MEND_SECONDS_MAX)  # the regions have met, empty as they are
        self._recorder.epoch = self._clock.monotonic()
        watch = Watch(access, self._recorder.now)
        self._samples = watch.samples
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = [tasks.create_task(self._sample(watch)), tasks.create_task(self._keep_nodes())]
                await self._act(access, [tasks.create_task(each) for each in self._traffic()])
                for task in watching:
                    task.cancel()
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        dsns = {origin: each.dsn for origin, each in self._ring.servers.items()}
        self._residency = await residency(self._scenario.topology, self._recorder.history(), dsns, self._ended)

    async def _act(self, access: RingAccess, traffic: Sequence[asyncio.Task[None]]) -> None:
        """Traffic and faults, peace, and the last reads."""
        await self._faults.run(self._plan.faults, self._plan.seconds, self._recorder.now)
        await asyncio.gather(*traffic)
        await self._settle(access)
        await self._read_everything()
        self._ended = self._recorder.now()

    def _traffic(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Each client with its part of the plan."""
        clients: dict[str, SimulatedClient] = {}
        parts = by_client(self._plan.operations)
        for name in parts:
            clients[name] = self._client(name, clients)
        return [clients[name].run(operations) for name, operations in parts.items()]

    def _client(self, name: str, others: Mapping[str, SimulatedClient], *, final: bool = False) -> SimulatedClient:
        return SimulatedClient(
            name=name, recorder=self._recorder, open_door=self._open_door, others=others, final=final
        )

    async def _open_door(self, region: RegionName, token: str) -> Door:
        door = RemoteDoor(self._ring.doors[region], clock=self._clock, entropy=self._entropy, token=token)
        await door.open()
        return door

    async def _settle(self, access: RingAccess) -> None:
        """Time counts from the end of all traffic and all mending; a node that was started last may still start."""
        mended = self._clock.monotonic()
        agreed_at, self._left = await settled(access, self._around, self._plan.settle_seconds)
        if agreed_at is not None:
            took = agreed_at - mended
            self._converged_seconds = took if took >= SETTLE_LOOK_SECONDS else 0.0  # agreed at the first look

    async def _read_everything(self) -> None:
        """The final reads, each region's by a client of its own without a past."""
        by_region: dict[RegionName, list[PlannedOperation]] = {}
        for read in final_reads(self._plan.operations, self._scenario.topology):
            by_region.setdefault(read.region, []).append(read)
        readers = (self._client(f"{region}/last", {}, final=True).run(wanted) for region, wanted in by_region.items())
        await asyncio.gather(*readers)

    # -- watching -------------------------------------------------------------------------------------------------

    async def _sample(self, watch: Watch) -> None:
        while True:
            await watch.look()
            await self._clock.sleep(REAL_SAMPLE_SECONDS)

    async def _keep_nodes(self) -> None:
        """A node that ends though nobody here has ended it is noted and started again, as a supervisor would."""
        while True:
            for node in self._ring.nodes.values():
                if node.wanted and not node.process.is_running:
                    code = await node.process.exited()
                    self._deaths.append(Death(node.name, code, self._recorder.now()))
                    node.start()
            await self._clock.sleep(PROCESS_LOOK_SECONDS)

    def _note(self, kind: str, lane: str, label: str) -> None:
        self._events.append(TraceEvent(at=self._recorder.now(), lane=lane, kind=kind, label=label))

    # -- judgement ------------------------------------------------------------------------------------------------

    def judged(self, seed: int, real_seconds: float) -> RunResult:
        """The result; called after everything has ended."""
        scenario, history = self._scenario, self._recorder.history()
        converged = self._converged_seconds is not None
        results = [
            *check_history(history, scenario.topology, self._plan, converged=converged),
            *([self._residency] if self._residency is not None else []),
            deaths(self._deaths),
            judging.convergence(True, self._converged_seconds, self._plan.settle_seconds, self._left, self._ended),
            *judging.expectations(scenario.expectation, history, self._converged_seconds, self._ended),
        ]
        bites = Counter(self._faults.bites)
        bites.update(self._cables.bites)
        return RunResult(
            scenario=scenario.name,
            seed=seed,
            plan=self._plan,
            verdict=worst(result.verdict for result in results),
            checkers=results,
            history=history,
            regions=list(scenario.topology.regions),
            converged_seconds=self._converged_seconds,
            simulated_seconds=self._ended,
            real_seconds=real_seconds,
            trace_hash="",
            samples=self._samples,
            bites=dict(sorted(bites.items())),
            faults=self._faults.executed,
            events=self._events,
            messages=self._cables.pieces,
            bytes_carried=self._cables.bytes_carried,
            tier=self._machine.describe(),
            skipped=self._skipped,
        )
