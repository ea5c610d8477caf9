"""One run: a scenario and a seed, the production code on a simulated world, and the judgement of it.

Phases: the ring starts and meets; traffic and faults for the plan's time; everything is mended and the ring gets its
time to converge; every region is read once more; the checkers speak. The same scenario, seed and plan give the same
:attr:`~atoll.simulation.result.RunResult.trace_hash` in every process.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from atoll.ids import RegionName
from atoll.simulation.checkers.black_box import check_history
from atoll.simulation.checkers.grey_box import GreyBox
from atoll.simulation.limits import MEETING_SECONDS_MAX, SAMPLE_SECONDS
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.loop.leaks import collected_afterwards, guarded
from atoll.simulation.observations import Observation
from atoll.simulation.plan import Plan, PlannedOperation
from atoll.simulation.result import RunResult
from atoll.simulation.scenario.knobs import turned
from atoll.simulation.scenario.planning import at_seed, make_plan
from atoll.simulation.scenario.scenario import Scenario
from atoll.simulation.stopwatch import Stopwatch
from atoll.simulation.verdict import worst
from atoll.simulation.workloads.registry import final_reads
from atoll.simulation.world import judging
from atoll.simulation.world.clients import Recorder, SimulatedClient, Surroundings, by_client
from atoll.simulation.world.faults import Faults
from atoll.simulation.world.noting import note
from atoll.simulation.world.sampling import Sampler
from atoll.simulation.world.settling import differences, has_converged
from atoll.simulation.world.world import World


def run(scenario: Scenario, seed: int, plan: Plan | None = None, *, record: bool = False) -> RunResult:
    """Run and judge; ``plan`` instead of the one the seed makes. ``record`` keeps the events for a timeline."""
    with collected_afterwards():
        return _run(scenario, seed, plan, record)


def _run(scenario: Scenario, seed: int, plan: Plan | None, record: bool) -> RunResult:
    """As :func:`run`; what is left of the world when it returns is garbage."""
    settled = at_seed(scenario, seed)
    chosen = plan or make_plan(settled, seed)
    watch = Stopwatch()
    with ExitStack() as stack:
        stack.enter_context(turned(chosen.knobs))
        loop = SimulationLoop(seed=seed, scheduling=chosen.scheduling, record=record)
        stack.enter_context(guarded(loop))
        performance = Performance(loop, settled, chosen)
        try:
            loop.run_until_complete(performance.play())
        finally:
            loop.close()
    return performance.judged(seed, watch.seconds())


class Performance:
    """One run while it runs."""

    def __init__(self, loop: SimulationLoop, scenario: Scenario, plan: Plan) -> None:
        self._loop = loop
        self._scenario = scenario
        self._plan = plan
        self._recorder = Recorder(_surroundings(loop), epoch=0.0)
        now = self._recorder.now
        self._grey_box = GreyBox(scenario.topology, now)
        self._sampler = Sampler(now)
        self._world = World(loop, scenario, self, plan.client_kind)
        self._faults = Faults(self._world)
        self._met = False
        self._converged_seconds: float | None = None
        self._left: Sequence[str] = ()

    def observe(self, observation: Observation) -> None:
        """Everything that storage and network report."""
        note(self._loop.trace, observation)
        self._grey_box.observe(observation)
        self._sampler.observe(observation)

    async def play(self) -> None:
        """All phases. Failures of the ring are findings, failures of the harness are raised."""
        world, plan = self._world, self._plan
        world.start()
        self._met = await world.until(self._all_meet, MEETING_SECONDS_MAX)
        self._recorder.epoch = self._loop.now()
        sampling = asyncio.get_running_loop().create_task(self._sample())
        clients = self._clients(plan.operations)
        traffic = [
            self._loop.spawn(
                world.clients_host(operations[0].region), clients[name].run(operations), f"client {name}"
            )
            for name, operations in by_client(plan.operations).items()
        ]
        await self._faults.run(plan.faults, plan.seconds, self._recorder.now)
        await asyncio.gather(*traffic)
        mended = self._recorder.now()
        if await world.until(lambda: has_converged(world.topology, world.shards), plan.settle_seconds, 0.25):
            self._converged_seconds = self._recorder.now() - mended
        else:
            self._left = differences(world.topology, world.shards)
        await self._read_everything()
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)
        self._grey_box.sample(world.shards)

    def _all_meet(self) -> bool:
        """Every node listens."""
        return all(self._world.network.listens(node.node.grpc) for node in self._world.nodes.values())

    def _clients(self, operations: Sequence[PlannedOperation]) -> dict[str, SimulatedClient]:
        clients: dict[str, SimulatedClient] = {}
        for name in by_client(operations):
            clients[name] = SimulatedClient(
                name=name,
                recorder=self._recorder,
                open_door=self._world.open_door,
                others=clients,
            )
        return clients

    async def _sample(self) -> None:
        while True:
            await self._world.sleep(SAMPLE_SECONDS)
            self._sampler.sample(self._world.shards)
            self._grey_box.sample(self._world.shards)

    async def _read_everything(self) -> None:
        """The final reads, each region's by a client of its own without a past."""
        reads = final_reads(self._plan.operations, self._world.topology)
        by_region: dict[RegionName, list[PlannedOperation]] = {}
        for read in reads:
            by_region.setdefault(read.region, []).append(read)
        readers = [
            self._loop.spawn(
                self._world.clients_host(region),
                SimulatedClient(
                    name=f"{region}/last",
                    recorder=self._recorder,
                    open_door=self._world.open_door,
                    others={},
                    final=True,
                ).run(wanted),
                f"last reads in {region}",
            )
            for region, wanted in by_region.items()
        ]
        await asyncio.gather(*readers)

    # -- judgement ------------------------------------------------------------------------------------------------

    def judged(self, seed: int, real_seconds: float) -> RunResult:
        """The result; called after the loop has ended."""
        scenario, world = self._scenario, self._world
        history = self._recorder.history()
        ended = self._recorder.now()
        converged = self._converged_seconds is not None
        results = [
            *self._grey_box.finish(world.shards, history, converged),
            *check_history(history, scenario.topology, self._plan, converged=converged),
            judging.failures([str(failure) for failure in self._loop.failures], ended),
            judging.convergence(self._met, self._converged_seconds, self._plan.settle_seconds, self._left, ended),
            *judging.expectations(scenario.expectation, history, self._converged_seconds, ended),
        ]
        bites = Counter(self._faults.bites)
        bites.update(world.network.bites)
        for database in world.databases.values():
            bites.update(database.bites)
        return RunResult(
            scenario=scenario.name,
            seed=seed,
            plan=self._plan,
            verdict=worst(result.verdict for result in results),
            checkers=results,
            history=history,
            regions=list(scenario.topology.regions),
            converged_seconds=self._converged_seconds,
            simulated_seconds=self._loop.now(),
            real_seconds=real_seconds,
            trace_hash=self._loop.trace.hexdigest(),
            samples=self._sampler.samples,
            bites=dict(sorted(bites.items())),
            conflicts=self._grey_box.conflicts(),
            faults=self._faults.executed,
            events=[replace(event, at=event.at - self._recorder.epoch) for event in self._loop.trace.events],
            messages=world.network.messages,
            bytes_carried=world.network.bytes_carried,
        )


def _surroundings(loop: SimulationLoop) -> Surroundings:
    """A client sleeps by the clock of the host that it runs on."""
    return Surroundings(
        now=loop.now,
        sleep=lambda seconds: loop.current_host().clock.sleep(seconds),
        note=loop.trace.note,
    )
