"""What keeps a ring from starting is said in a sentence: an address that is taken, a node that ends at once."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from atoll.configuration import load
from atoll.errors import InvalidConfiguration
from atoll.supervisor.addresses import check_addresses
from atoll.supervisor.node_process import NodeProcess


def with_address(folder: Path, address: str) -> Path:
    file = folder / "atoll.toml"
    file.write_text(f'ring = "r"\n[regions.oslo]\nshards = ["s1"]\n[regions.oslo.nodes.n1]\ngrpc = "{address}"\n')
    return file


def test_address_that_is_taken_is_named_by_its_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        file = with_address(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(InvalidConfiguration, match=r"oslo\.nodes\.n1\.grpc: cannot listen on .* another"):
            check_addresses(load(file))
    check_addresses(load(file))


def test_address_of_another_machine_is_named_by_its_key(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="no address of this machine"):
        check_addresses(load(with_address(tmp_path, "192.0.2.1:7443")))


async def failure_of(folder: Path, *lines: str) -> str:
    """What is said of a node that printed ``lines`` and ended."""
    program = f"import sys; sys.stderr.write({chr(10).join([*lines, ''])!r}); sys.exit(1)"
    node = NodeProcess(command=["-c", program], http="127.0.0.1:1", log=folder / "node.log")
    node.start()
    assert await node.exited() == 1
    return node.failure()


async def test_failure_of_a_node_is_the_message_of_its_last_error(tmp_path: Path) -> None:
    entry = json.dumps({"event": "cannot listen on 127.0.0.1:1", "level": "error", "code": "operator_error"})
    said = await failure_of(
        tmp_path, "E1120 add_port.cc:83] Failed", entry, json.dumps({"event": "bye", "level": "info"})
    )
    assert said == f"cannot listen on 127.0.0.1:1\n(its log: {tmp_path / 'node.log'})"


async def test_failure_of_a_node_that_logged_none_is_the_end_of_its_log(tmp_path: Path) -> None:
    assert "Segmentation fault" in await failure_of(tmp_path, "Segmentation fault")
