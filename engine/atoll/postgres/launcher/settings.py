"""What a launched server is told: durable, loopback only, ready for two-phase commit, and modest in memory."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Mapping
from types import MappingProxyType

from atoll.errors import InvalidConfiguration

HOST = "127.0.0.1"

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "max_prepared_transactions": "64",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "max_wal_size": "1GB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        "logging_collector": "off",
    }
)
"""What holds unless a server's own settings say otherwise."""

PORTS = range(24_000, 32_000)
"""Below the range that Linux and macOS give to outgoing connections: while a server is down between a crash and its
restart, no client of somebody else's can take its port by accident."""

_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")


def check_names(settings: Mapping[str, str]) -> None:
    """Raise :class:`InvalidConfiguration` for a name that is none, before anything is made or started."""
    for name in settings:
        if _NAME.fullmatch(name) is None:
            raise InvalidConfiguration(f"{name!r} is not the name of a Postgres setting")


def command_line_settings(settings: Mapping[str, str], port: int) -> list[str]:
    """The options of a server: the defaults, then ``settings``, then what no one may change, the address."""
    fixed = {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": ""}
    return options({**DEFAULTS, **settings, **fixed})


def options(settings: Mapping[str, str]) -> list[str]:
    """``-c name=value`` for each setting."""
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def free_port(among: range = PORTS) -> int:
    """A loopback port on which nothing listens at this moment; the caller must bear that it is taken meanwhile."""
    while True:
        port = among[secrets.randbelow(len(among))]
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        return port
