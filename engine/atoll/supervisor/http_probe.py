"""The smallest HTTP client there is: one GET, the status code, nothing else."""

from __future__ import annotations

import asyncio

from atoll import limits


async def get_status(address: str, path: str) -> int | None:
    """The status code of ``GET path`` at ``host:port``; ``None`` when nothing answers in time."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(limits.READY_ANSWER_SECONDS_MAX + 1):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
                status = await reader.readline()
            finally:
                writer.close()
        return int(status.split()[1])
    except (OSError, TimeoutError, IndexError, ValueError):
        return None
