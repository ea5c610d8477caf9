"""What an event loop can do in the real world and a simulated one refuses: threads, sockets, signals, processes."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

from atoll.simulation.loop.errors import SimulationLeak


def _refusal(name: str) -> Any:
    def refuse(self: RefusingLoop, *_: object, **__: object) -> NoReturn:
        raise self.leak(f"loop.{name}()")

    refuse.__name__ = name
    refuse.__qualname__ = f"SimulationLoop.{name}"
    return refuse


class RefusingLoop(asyncio.AbstractEventLoop):
    """Each of these raises :class:`SimulationLeak` and ends the run, even if the caller catches it."""

    def leak(self, what: str) -> SimulationLeak:
        """The error for reaching into the real world, after the run was told to end with it."""
        raise NotImplementedError

    call_soon_threadsafe: Any = _refusal("call_soon_threadsafe")
    run_in_executor: Any = _refusal("run_in_executor")
    set_default_executor: Any = _refusal("set_default_executor")
    getaddrinfo: Any = _refusal("getaddrinfo")
    getnameinfo: Any = _refusal("getnameinfo")
    create_connection: Any = _refusal("create_connection")
    create_server: Any = _refusal("create_server")
    sendfile: Any = _refusal("sendfile")
    start_tls: Any = _refusal("start_tls")
    create_unix_connection: Any = _refusal("create_unix_connection")
    create_unix_server: Any = _refusal("create_unix_server")
    connect_accepted_socket: Any = _refusal("connect_accepted_socket")
    create_datagram_endpoint: Any = _refusal("create_datagram_endpoint")
    connect_read_pipe: Any = _refusal("connect_read_pipe")
    connect_write_pipe: Any = _refusal("connect_write_pipe")
    subprocess_shell: Any = _refusal("subprocess_shell")
    subprocess_exec: Any = _refusal("subprocess_exec")
    add_reader: Any = _refusal("add_reader")
    remove_reader: Any = _refusal("remove_reader")
    add_writer: Any = _refusal("add_writer")
    remove_writer: Any = _refusal("remove_writer")
    sock_recv: Any = _refusal("sock_recv")
    sock_recv_into: Any = _refusal("sock_recv_into")
    sock_recvfrom: Any = _refusal("sock_recvfrom")
    sock_recvfrom_into: Any = _refusal("sock_recvfrom_into")
    sock_sendall: Any = _refusal("sock_sendall")
    sock_sendto: Any = _refusal("sock_sendto")
    sock_connect: Any = _refusal("sock_connect")
    sock_accept: Any = _refusal("sock_accept")
    sock_sendfile: Any = _refusal("sock_sendfile")
    add_signal_handler: Any = _refusal("add_signal_handler")
    remove_signal_handler: Any = _refusal("remove_signal_handler")
    set_task_factory: Any = _refusal("set_task_factory")
