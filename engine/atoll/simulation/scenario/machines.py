"""Stories about links that are slow, nodes that restart and clocks that go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from pydantic import Field

from atoll.configuration.problems import unknown
from atoll.keyspace.topology import Topology
from atoll.simulation.plan import Fault, FaultKind
from atoll.simulation.scenario.partitions import (
    around,
    drawn,
    drawn_pair,
    few_enough,
    pair_exists,
    periods,
    regions_exist,
)
from atoll.simulation.scenario.story import ANY, Names, Problem, Story, both_ways, node_names


class SlowLink(Story):
    """The links of a ``region``, or those ``between`` two, are bad: slower, lossy, narrow."""

    region: str | None = None
    between: tuple[str, str] | None = None
    latency_factor: float = Field(default=10.0, ge=1, le=1_000)
    jitter_factor: float = Field(default=3.0, ge=1, le=1_000)
    loss: float = Field(default=0.0, ge=0, le=0.9)
    duplicate: float = Field(default=0.0, ge=0, le=1)
    reorder: float = Field(default=0.0, ge=0, le=1)
    bandwidth_kbps: float | None = Field(default=None, ge=8)

    @property
    def places(self) -> Sequence[str]:
        return self.between or (() if self.region is None else (self.region,))

    def problems(self, topology: Topology) -> Iterator[Problem]:
        if (self.region is None) == (self.between is None):
            yield "kind", "'slow_link' needs either region or between = [REGION, REGION]"
        if self.region is not None:
            yield from regions_exist("region", [self.region], topology)
        if self.between is not None:
            yield from pair_exists(self.between, topology)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        if self.between is not None:
            links = both_ways(*drawn_pair(random, self.between, topology))
        else:
            links = around(drawn(random, self.region or ANY, topology), topology)
        return [self.fault(FaultKind.DEGRADE, links, self._parameters())]

    def _parameters(self) -> Mapping[str, float]:
        names = ("latency_factor", "jitter_factor", "loss", "duplicate", "reorder", "bandwidth_kbps")
        return {name: given for name in names if (given := getattr(self, name))}


class RollingRestart(Story):
    """Every node of ``regions`` (all, if left out) is killed and started again, one after the other over the story's
    time; each is away for ``down_seconds``."""

    regions: Names = ()
    down_seconds: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    @property
    def places(self) -> Sequence[str]:
        return self.regions

    def problems(self, topology: Topology) -> Iterator[Problem]:
        for name in self.regions:
            if name not in topology.regions:
                yield "regions", unknown("region", name, topology.regions)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:  # noqa: ARG002 - nothing is open
        nodes = [name for name in node_names(topology) if not self.regions or name.split("/")[0] in self.regions]
        step = self.for_seconds / len(nodes)
        return [
            self.fault(
                FaultKind.CRASH_NODE,
                [node],
                at_seconds=self.at_seconds + index * step,
                duration_seconds=self.down_seconds,
            )
            for index, node in enumerate(nodes)
        ]


class _Clocks(Story):
    """``targets``: nodes, regions for all of their nodes, or ``any``."""

    targets: Names = Field(default=(ANY,), min_length=1)

    @property
    def places(self) -> Sequence[str]:
        return self.targets

    def problems(self, topology: Topology) -> Iterator[Problem]:
        known = node_names(topology)
        for target in self.targets:
            if target not in (ANY, *known, *topology.regions):
                yield "targets", unknown("node or region", target, [*known, *topology.regions, ANY])

    def nodes(self, random: Random, topology: Topology) -> list[str]:
        """Whose clocks they are."""
        known = node_names(topology)
        chosen: dict[str, None] = {}
        for target in self.targets:
            if target == ANY:
                chosen[random.choice(known)] = None
            else:
                chosen.update(
                    dict.fromkeys(name for name in known if name == target or name.startswith(f"{target}/"))
                )
        return list(chosen)


class ClockOffset(_Clocks):
    """The clock is off by ``offset_ms`` while the story lasts, and right again at its end: a step there and back."""

    offset_ms: float = Field(ge=-86_400_000, le=86_400_000)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        return [self.fault(FaultKind.CLOCK, self.nodes(random, topology), {"offset_ms": self.offset_ms})]


class ClockDrift(_Clocks):
    """The clock runs fast (or slow, if negative) by ``drift_ppm`` and keeps what it has gained."""

    drift_ppm: float = Field(ge=-500_000, le=500_000)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        return [self.fault(FaultKind.CLOCK, self.nodes(random, topology), {"drift_ppm": self.drift_ppm})]


class ClockJump(_Clocks):
    """The clock jumps by ``offset_ms`` once, forward or back, and stays there."""

    offset_ms: float = Field(ge=-86_400_000, le=86_400_000)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        return [self.fault(FaultKind.CLOCK, self.nodes(random, topology), {"offset_ms": self.offset_ms, "keep": 1})]


class ClockStrobe(_Clocks):
    """The clock jumps by ``offset_ms`` and back, over and over, every ``period_seconds``."""

    offset_ms: float = Field(ge=-86_400_000, le=86_400_000)
    period_seconds: float = Field(default=0.5, gt=0, allow_inf_nan=False)

    def problems(self, topology: Topology) -> Iterator[Problem]:
        yield from super().problems(topology)
        yield from few_enough(self.for_seconds, self.period_seconds)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        nodes = self.nodes(random, topology)
        return [
            self.fault(
                FaultKind.CLOCK,
                nodes,
                {"offset_ms": self.offset_ms},
                at_seconds=start,
                duration_seconds=min(self.period_seconds / 2, left),
            )
            for start, left in periods(self.at_seconds, self.for_seconds, self.period_seconds)
        ]


class NtpStep(_Clocks):
    """The clock drifts by ``drift_ppm``, unnoticed; at the end time synchronisation steps it to the truth at once."""

    drift_ppm: float = Field(default=20_000.0, ge=-500_000, le=500_000)

    def expand(self, random: Random, topology: Topology) -> Sequence[Fault]:
        nodes = self.nodes(random, topology)
        gained_ms = self.for_seconds * self.drift_ppm / 1_000
        end = self.at_seconds + self.for_seconds
        return [
            self.fault(FaultKind.CLOCK, nodes, {"drift_ppm": self.drift_ppm}),
            self.fault(
                FaultKind.CLOCK,
                nodes,
                {"offset_ms": -gained_ms, "keep": 1},
                at_seconds=end,
                duration_seconds=0.001,
            ),
        ]
