"""How long a write needs to become visible in another region, at a fixed rate of writes.

Arrival times are fixed beforehand (an open loop), so a stall shows in the latencies instead of slowing the writers.
A prober writes a record in one region, reads it in the other until it is there, and counts from the moment the write
was acknowledged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atoll.bench.measure import quantile
from atoll.bench.ring import COLLECTIONS, bench_ring
from atoll.bench.workload import WORKLOADS, Traffic, record_key, record_value
from atoll.client.client import Client

HERE, THERE = "here", "there"
PROBE_POLL_SECONDS = 0.001
_VISIBLE_WITHIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LagPlan:
    """What to measure."""

    rate: int
    """Writes per second, probes not counted."""
    seconds: float
    records: int = 10_000
    probes_per_second: int = 20


@dataclass(slots=True)
class LagResult:
    """Seconds from acknowledged here to visible there, and how long the writes took."""

    lags: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)
    achieved_rate: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``; times in milliseconds."""
        return {
            "probes": len(self.lags),
            "writes": len(self.writes),
            "achieved_rate": round(self.achieved_rate, 1),
            "lag_p50_ms": round(quantile(self.lags, 0.5) * 1000, 2),
            "lag_p99_ms": round(quantile(self.lags, 0.99) * 1000, 2),
            "lag_max_ms": round(max(self.lags, default=0.0) * 1000, 2),
            "write_p50_ms": round(quantile(self.writes, 0.5) * 1000, 2),
            "write_p99_ms": round(quantile(self.writes, 0.99) * 1000, 2),
        }


async def run_lag(plan: LagPlan, *, pg_bin: Path | None = None, tell: Callable[[str], None]) -> LagResult:
    """Two regions on this machine, writes in one of them, probes across."""
    import atoll

    async with AsyncExitStack() as stack:
        tell("starting two regions")
        ring = await stack.enter_async_context(bench_ring([HERE, THERE], pg_bin))
        here = await stack.enter_async_context(atoll.connect(ring.address(HERE)))
        there = await stack.enter_async_context(atoll.connect(ring.address(THERE), session=False))
        tell(f"writing {plan.rate:,} records a second for {plan.seconds:g} s")
        return await _measure(plan, here, there)


async def _measure(plan: LagPlan, here: Client, there: Client) -> LagResult:
    result = LagResult()
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_write_at_rate(plan, here, result))
        tasks.create_task(_probe(plan, here, there, result))
    result.achieved_rate = len(result.writes) / (time.perf_counter() - begun)
    return result


async def _write_at_rate(plan: LagPlan, here: Client, result: LagResult) -> None:
    steps = Traffic(plan.records).steps(WORKLOADS["W"], seed=1)
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as writes:
        for number in range(int(plan.rate * plan.seconds)):
            due = begun + number / plan.rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            writes.create_task(_write(here, next(steps).key, number, due, result))


async def _write(here: Client, key: str, number: int, due: float, result: LagResult) -> None:
    await here.put(COLLECTIONS[0], key, record_value(key, number))
    result.writes.append(time.perf_counter() - due)


async def _probe(plan: LagPlan, here: Client, there: Client, result: LagResult) -> None:
    for number in range(int(plan.probes_per_second * plan.seconds)):
        pause = asyncio.create_task(asyncio.sleep(1 / plan.probes_per_second))
        key = f"probe{record_key(number)}"
        await here.put(COLLECTIONS[0], key, {"probe": number})
        acknowledged = time.perf_counter()
        await _until_visible(there, key, acknowledged + _VISIBLE_WITHIN_SECONDS)
        result.lags.append(time.perf_counter() - acknowledged)
        await pause


async def _until_visible(there: Client, key: str, deadline: float) -> None:
    while await there.get(COLLECTIONS[0], key) is None:
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{key} did not become visible within {_VISIBLE_WITHIN_SECONDS:g} s")
        await asyncio.sleep(PROBE_POLL_SECONDS)
