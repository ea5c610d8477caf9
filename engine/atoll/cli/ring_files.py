"""From ``--config`` to the ring it means on this machine: its configuration, its state directory, what runs."""

from __future__ import annotations

from pathlib import Path

from atoll.configuration import Configuration, load
from atoll.errors import InvalidConfiguration
from atoll.supervisor.directory import RingDirectory


def load_configuration(file: Path) -> Configuration:
    """Read and check the file; when there is none, say how to get one."""
    if not file.exists():
        raise InvalidConfiguration(
            f"there is no {file} here: `atoll init` writes one to begin with, --config names another, "
            "and `atoll demo` needs none"
        )
    return load(file)


def directory_of(configuration: Configuration) -> RingDirectory:
    """Where the ring keeps what it needs on this machine."""
    return RingDirectory(configuration.state_directory)
