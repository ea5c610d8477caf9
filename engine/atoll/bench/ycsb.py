"""Atoll embedded, Atoll over gRPC and plain asyncpg, side by side on one Postgres server, in turns.

The sides take turns in short rounds, so that a machine that gets faster or slower meanwhile does so for all of them:
the ratios are the result, the absolute figures belong to the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atoll.bench.measure import Sample, Target, drive, quantile
from atoll.bench.plain import PlainPostgres
from atoll.bench.ring import COLLECTIONS, BenchRing, bench_ring
from atoll.bench.through_atoll import ThroughAtoll
from atoll.bench.workload import Traffic, Workload, record_key

REGION = "here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure."""

    workloads: Sequence[Workload]
    clients: int
    records: int
    seconds: float
    """Measured time per side and workload, over all rounds."""
    rounds: int = 3
    warm_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """One side's result in one workload."""

    workload: str
    side: str
    sample: Sample
    ratio: float
    """Throughput over plain asyncpg's in the same workload."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``; latencies in milliseconds."""
        sample = self.sample
        return {
            "workload": self.workload,
            "side": self.side,
            "operations_per_second": round(sample.throughput, 1),
            "ratio": round(self.ratio, 3),
            "p50_ms": round(sample.quantile(0.5) * 1000, 3),
            "p99_ms": round(sample.quantile(0.99) * 1000, 3),
            "read_p99_ms": round(quantile(sample.reads, 0.99) * 1000, 3),
            "write_p99_ms": round(quantile(sample.writes, 0.99) * 1000, 3),
        }


async def run_ycsb(plan: Plan, *, pg_bin: Path | None = None, tell: Callable[[str], None]) -> list[Line]:
    """Start a ring of one region and one shard, load the same records on every side, and measure."""
    async with AsyncExitStack() as stack:
        tell("starting Postgres and a node")
        ring = await stack.enter_async_context(bench_ring([REGION], pg_bin))
        sides = await _sides(ring, plan.clients, stack)
        keys = [record_key(index) for index in range(plan.records)]
        for side in sides:
            tell(f"loading {plan.records:,} records: {side.name}")
            await side.load(keys)
        traffic = Traffic(plan.records)
        lines: list[Line] = []
        for workload in plan.workloads:
            lines += await _compare(sides, traffic, workload, plan, tell)
        return lines


async def _sides(ring: BenchRing, clients: int, stack: AsyncExitStack) -> list[Target]:
    import atoll

    plain = await PlainPostgres.create(ring.server_dsn(), clients)
    stack.push_async_callback(plain.close)
    embedded = await stack.enter_async_context(atoll.connect(str(ring.configuration), region=REGION))
    remote = await stack.enter_async_context(atoll.connect(ring.address(REGION)))
    return [
        plain,
        ThroughAtoll("atoll embedded", embedded, COLLECTIONS[0]),
        ThroughAtoll("atoll gRPC", remote, COLLECTIONS[1]),
    ]


async def _compare(
    sides: Sequence[Target], traffic: Traffic, workload: Workload, plan: Plan, tell: Callable[[str], None]
) -> list[Line]:
    samples = {side.name: Sample() for side in sides}
    for round_number in range(plan.rounds):
        for side in sides:
            tell(f"workload {workload.name}, round {round_number + 1} of {plan.rounds}: {side.name}")
            measured = await drive(
                side,
                traffic,
                workload,
                clients=plan.clients,
                warm_seconds=plan.warm_seconds,
                seconds=plan.seconds / plan.rounds,
                seed=round_number,
            )
            samples[side.name].extend(measured)
    base = samples[PlainPostgres.name].throughput
    return [Line(workload.name, name, sample, sample.throughput / base) for name, sample in samples.items()]
