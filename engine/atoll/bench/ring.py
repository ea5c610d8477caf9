"""A ring for the length of a benchmark: real servers and node processes in a directory that is removed afterwards."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from atoll.server.ring_state import RingState
from atoll.supervisor.background import start_in_background, stop
from atoll.supervisor.directory import RingDirectory

COLLECTIONS = ("embedded", "remote")
"""One a side: sides that wrote the same records would pay for each other's writes."""


@dataclass(frozen=True, slots=True)
class BenchRing:
    """What runs, and the file it was started from."""

    configuration: Path
    state: RingState

    def address(self, region: str) -> str:
        """The gRPC address of the region's node."""
        return next(node.grpc for node in self.state.nodes if node.region == region)

    def server_dsn(self) -> str:
        """The DSN of the first region's shard."""
        dsn = self.state.servers[0].dsn
        assert dsn is not None, "a running server has a DSN"
        return dsn


@asynccontextmanager
async def bench_ring(regions: Sequence[str], pg_bin: Path | None = None) -> AsyncIterator[BenchRing]:
    """Start one shard and one node per region; stop and remove everything at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="atoll-bench-") as folder:
        configuration = Path(folder) / "atoll.toml"
        configuration.write_text(_configuration(regions))
        directory = RingDirectory(Path(folder) / ".atoll")
        starting = asyncio.ensure_future(
            asyncio.to_thread(start_in_background, configuration, directory, pg_bin=pg_bin, tied=True)
        )
        try:
            yield BenchRing(configuration, await asyncio.shield(starting))
        finally:
            await asyncio.wait([starting])  # an interrupted start goes on in its thread: let it end, then stop it
            if not starting.cancelled() and starting.exception() is None:
                await asyncio.to_thread(stop, directory)


def _configuration(regions: Sequence[str]) -> str:
    parts = ['ring = "bench"'] + [f'[regions.{region}]\nshards = ["s1"]' for region in regions]
    return "\n\n".join([*parts, *(f'[collections.{name}]\nplacement = "hash"' for name in COLLECTIONS)]) + "\n"
