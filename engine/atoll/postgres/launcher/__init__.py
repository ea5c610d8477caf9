"""Real Postgres servers on loopback with one call: for ``atoll up``, the demo and the tests.

Only a directory of Postgres programs is needed. A server runs as root or not, on a free port, durable, with its data
in a directory that survives it; and it cannot outlive the process that started it.
"""

from __future__ import annotations

from atoll.postgres.launcher.binaries import Binaries, Source, find_binaries
from atoll.postgres.launcher.cluster import Progress, running_servers, start_servers, stop_servers
from atoll.postgres.launcher.processes import Identity
from atoll.postgres.launcher.server import LaunchOptions, Server, ServerSpec, Stage, StopMode

__all__ = [
    "Binaries",
    "Identity",
    "LaunchOptions",
    "Progress",
    "Server",
    "ServerSpec",
    "Source",
    "Stage",
    "StopMode",
    "find_binaries",
    "running_servers",
    "start_servers",
    "stop_servers",
]
