"""Faults are done and undone at their times, once each however they overlap; on a ring that only takes notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from atoll.ids import Origin, RegionName, ShardName
from atoll.simulation.loop.event_loop import SimulationLoop
from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.real import forgotten
from atoll.simulation.real.faults import RealFaults
from atoll.simulation.real.feasible import BEYOND
from atoll.simulation.real.ring import RealRing
from atoll.simulation.world.clients import Surroundings

Tell = Callable[[str], None]
NODE, SHARD = "frankfurt/n1", "frankfurt/s1"
START_SECONDS = 0.5


@dataclass
class Part:
    """A node or a server: says what is done to it. A server takes a while to start."""

    name: str
    tell: Tell
    sleep: Callable[[float], Any]
    region: str = "frankfurt"

    @property
    def process(self) -> Part:
        return self

    @property
    def origin(self) -> str:
        return self.name

    @property
    def dsn(self) -> str:
        return f"dsn of {self.name}"

    async def exited(self) -> int:
        return -9

    def kill(self) -> bool:
        self.tell(f"kill {self.name}")
        return True

    def halt(self) -> bool:
        self.tell(f"halt {self.name}")
        return True

    def resume(self) -> None:
        self.tell(f"resume {self.name}")


@dataclass
class Node(Part):
    def start(self) -> None:
        self.tell(f"start {self.name}")


@dataclass
class Server(Part):
    async def start(self) -> None:
        self.tell(f"starting {self.name}")
        await self.sleep(START_SECONDS)
        self.tell(f"started {self.name}")


@dataclass
class Links:
    tell: Tell
    handles: int = 0

    def cut(self, source: str, target: str, *, reset: bool) -> None:
        self.tell(f"cut {source}>{target}{' with reset' if reset else ''}")

    def heal(self, source: str, target: str) -> None:
        self.tell(f"heal {source}>{target}")

    def degrade(self, source: str, target: str, parameters: Mapping[str, float]) -> int:
        self.handles += 1
        self.tell(f"degrade {source}>{target} by {dict(parameters)} as {self.handles}")
        return self.handles

    def mend(self, handle: int) -> None:
        self.tell(f"mend {handle}")


@dataclass
class Stage:
    """Virtual time, and what was done when."""

    loop: SimulationLoop = field(default_factory=lambda: SimulationLoop(seed=1, scheduling="fifo"))
    done: list[tuple[float, str]] = field(default_factory=list)

    def tell(self, what: str) -> None:
        self.done.append((round(self.loop.now(), 2), what))

    async def sleep(self, seconds: float) -> None:
        await self.loop.current_host().clock.sleep(seconds)

    def play(self, *faults: Fault, seconds: float = 10.0) -> RealFaults:
        ring = RingOfNotes(self)
        around = Surroundings(now=self.loop.now, sleep=self.sleep, note=lambda *_: None)
        hands = RealFaults(cast(RealRing, ring), around)
        try:
            self.loop.run_until_complete(hands.run(faults, seconds, self.loop.now))
        finally:
            self.loop.close()
        return hands


class RingOfNotes:
    def __init__(self, stage: Stage) -> None:
        self.cables = Links(stage.tell)
        self.nodes = {NODE: Node(NODE, stage.tell, stage.sleep)}
        origin = Origin(RegionName("frankfurt"), ShardName("s1"))
        self.servers = {origin: Server(SHARD, stage.tell, stage.sleep)}


def fault(kind: FaultKind, at: float, seconds: float, target: str, **parameters: float) -> Fault:
    return Fault(at_seconds=at, duration_seconds=seconds, kind=kind, targets=[target], parameters=parameters)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize(
    ("kind", "target", "wanted"),
    [
        (FaultKind.CRASH_NODE, NODE, ["kill frankfurt/n1", "start frankfurt/n1"]),
        (FaultKind.PAUSE_NODE, NODE, ["halt frankfurt/n1", "resume frankfurt/n1"]),
        (FaultKind.STALL_SHARD, SHARD, ["halt frankfurt/s1", "resume frankfurt/s1"]),
        (FaultKind.CUT, "a>b", ["cut a>b", "heal a>b"]),
    ],
)
def test_fault_is_done_and_undone_at_its_times(
    stage: Stage, kind: FaultKind, target: str, wanted: Sequence[str]
) -> None:
    hands = stage.play(fault(kind, 1.0, 2.0, target))
    assert stage.done == [(1.0, wanted[0]), (3.0, wanted[1])]
    assert [each.kind for each in hands.executed] == [kind]
    assert hands.bites.total() == 1


def test_fault_that_outlasts_traffic_is_mended_at_its_end(stage: Stage) -> None:
    stage.play(fault(FaultKind.CUT, 1.0, 60.0, "a>b", reset=1), seconds=4.0)
    assert stage.done == [(1.0, "cut a>b with reset"), (4.0, "heal a>b")]


def test_what_is_broken_twice_is_mended_when_the_last_fault_ends(stage: Stage) -> None:
    stage.play(fault(FaultKind.CRASH_NODE, 1.0, 2.0, NODE), fault(FaultKind.CRASH_NODE, 2.0, 3.0, NODE))
    assert stage.done == [(1.0, "kill frankfurt/n1"), (5.0, "start frankfurt/n1")]


def test_each_degradation_mends_its_own(stage: Stage) -> None:
    stage.play(
        fault(FaultKind.DEGRADE, 1.0, 3.0, "a>b", latency_factor=2.0),
        fault(FaultKind.DEGRADE, 2.0, 1.0, "a>b", bandwidth_kbps=64.0),
    )
    assert [what for _, what in stage.done][2:] == ["mend 2", "mend 1"]


def test_server_is_not_killed_before_it_has_started(stage: Stage) -> None:
    stage.play(fault(FaultKind.CRASH_SHARD, 1.0, 1.0, SHARD), fault(FaultKind.CRASH_SHARD, 2.1, 1.0, SHARD))
    assert stage.done == [
        (1.0, "kill frankfurt/s1"),
        (2.0, "starting frankfurt/s1"),
        (2.5, "started frankfurt/s1"),
        (2.5, "kill frankfurt/s1"),
        (3.1, "starting frankfurt/s1"),
        (3.6, "started frankfurt/s1"),
    ]


def test_run_waits_for_what_is_still_being_mended(stage: Stage) -> None:
    stage.play(fault(FaultKind.CRASH_SHARD, 1.0, 60.0, SHARD), seconds=2.0)
    assert stage.done[-1] == (2.5, "started frankfurt/s1")


def test_lost_region_loses_nodes_and_servers_together_and_regains_them(stage: Stage) -> None:
    hands = stage.play(fault(FaultKind.LOSE_REGION, 1.0, 1.0, "frankfurt"))
    assert {what for at, what in stage.done if at == 1.0} == {"kill frankfurt/n1", "kill frankfurt/s1"}
    assert {what for at, what in stage.done if at == 2.0} == {"start frankfurt/n1", "starting frankfurt/s1"}
    assert hands.bites["lose_region: regions lost"] == 1


def test_forgotten_transaction_waits_for_its_server_and_is_found_at_the_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def prepare(dsn: str, name: str) -> int:
        stage.tell(f"prepare {name} at {dsn}")
        return 2

    async def resolve(dsn: str, name: str, *, commit: bool) -> bool:
        stage.tell(f"{'commit' if commit else 'roll back'} {name}")
        return True

    monkeypatch.setattr(forgotten, "prepare_and_forget", prepare)
    monkeypatch.setattr(forgotten, "resolve", resolve)
    hands = stage.play(
        fault(FaultKind.CRASH_SHARD, 1.0, 1.0, SHARD),
        fault(FaultKind.PREPARED_TRANSACTION, 1.2, 3.0, SHARD, commit=0),
    )
    told = [what for _, what in stage.done]
    assert told.index("started frankfurt/s1") < told.index("prepare forgotten 1 at dsn of frankfurt/s1")
    assert stage.done[-1] == (4.2, "roll back forgotten 1")
    assert hands.bites["prepared_transaction: records locked"] == 2


@pytest.mark.parametrize("kind", sorted(BEYOND))
def test_fault_that_is_not_feasible_is_refused(stage: Stage, kind: FaultKind) -> None:
    with pytest.raises(AssertionError, match="left out"):
        stage.play(fault(kind, 1.0, 1.0, SHARD))
