"""The real :class:`~atoll.ports.Clock`: this machine's time, for node processes, clients and tests on real parts."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Wall time for hybrid timestamps and people, the monotonic clock for every duration."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
