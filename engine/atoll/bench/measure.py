"""Closed-loop clients against one target, and what they measured.

Each client sends its next operation when the last one is answered. Latencies are kept whole (a few hundred thousand
floats), so quantiles are exact.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from atoll.bench.workload import Step, Traffic, Workload, record_value


class Target(Protocol):
    """One side of a comparison."""

    name: str

    async def load(self, keys: Sequence[str]) -> None:
        """Store a record under every key; replaces what is there."""
        ...

    async def read(self, key: str) -> Any:
        """The record's value; ``None`` if there is none."""
        ...

    async def write(self, key: str, value: dict[str, Any]) -> None:
        """Replace the record durably."""
        ...


@dataclass(slots=True)
class Sample:
    """Latencies in seconds of one measured interval."""

    seconds: float = 0.0
    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)

    def extend(self, other: Sample) -> None:
        """Add the interval of another round."""
        self.seconds += other.seconds
        self.reads += other.reads
        self.writes += other.writes

    @property
    def operations(self) -> int:
        return len(self.reads) + len(self.writes)

    @property
    def throughput(self) -> float:
        """Operations per second."""
        return self.operations / self.seconds if self.seconds else 0.0

    def quantile(self, share: float) -> float:
        """A latency in seconds that ``share`` of all operations did not exceed."""
        return quantile(self.reads + self.writes, share)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of ``values`` does not exceed; 0.0 if there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def drive(
    target: Target,
    traffic: Traffic,
    workload: Workload,
    *,
    clients: int,
    warm_seconds: float,
    seconds: float,
    seed: int,
) -> Sample:
    """Run ``clients`` closed loops: warm up, then measure for ``seconds``."""
    sample = Sample()
    begin = time.perf_counter() + warm_seconds
    end = begin + seconds
    loops = [
        _client(target, traffic, workload, seed * 100_003 + number, begin, end, sample) for number in range(clients)
    ]
    await asyncio.gather(*loops)
    sample.seconds = seconds
    return sample


async def _client(
    target: Target, traffic: Traffic, workload: Workload, seed: int, begin: float, end: float, sample: Sample
) -> None:
    for step in traffic.steps(workload, seed):
        started = time.perf_counter()
        if started >= end:
            return
        await _perform(target, step)
        finished = time.perf_counter()
        if begin <= finished < end:
            (sample.reads if step.is_read else sample.writes).append(finished - started)


async def _perform(target: Target, step: Step) -> None:
    if not step.is_read:
        await target.write(step.key, record_value(step.key, step.sequence))
    elif await target.read(step.key) is None:
        raise AssertionError(f"{target.name} lost the record {step.key}")
