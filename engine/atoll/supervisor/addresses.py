"""Before anything starts: can every address that the file gives be listened on, on this machine, now?"""

from __future__ import annotations

import errno
import socket

from atoll.configuration import Configuration
from atoll.configuration.problems import Problems


def check_addresses(configuration: Configuration) -> None:
    """Bind each given address and let it go again.

    Raises :class:`~atoll.errors.InvalidConfiguration` that names by its dotted key every one that cannot be bound.
    One that is taken a moment later is found by its node, as it starts.
    """
    problems = Problems(configuration.file)
    for at, given in configuration.addresses().items():
        for service, address in (("grpc", given.grpc), ("http", given.http)):
            if address is not None and (problem := _problem(address)) is not None:
                problems.add(f"regions.{at.region}.nodes.{at.node}.{service}", problem)
    problems.raise_any()


def _problem(address: str) -> str | None:
    """What keeps this machine from listening on ``host:port``; ``None`` if nothing does."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        return f"cannot listen on {address}: the name has no address ({error.strerror})"
    family, kind, protocol, _, where = found[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(where)
            listener.listen()
        except OSError as error:
            return f"cannot listen on {address}: {_reason(error)}"
    return None


def _reason(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "another process is on that port; stop it or name another port"
        case errno.EADDRNOTAVAIL:
            return "it is no address of this machine, where `atoll up` starts every node of the file"
        case _:
            return f"{error.strerror}; name another address"
