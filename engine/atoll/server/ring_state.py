"""What runs, as the supervisor writes it and all other doors read it: one JSON file, replaced whole each time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

STATE_FILE_NAME = "ring.json"
"""In the ring's state directory."""


class Phase(StrEnum):
    """The life of a ring on this machine."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"
    """Could not be started; ``error`` says why, and nothing is left running."""


class PartState(StrEnum):
    """The life of one process."""

    WAITING = "waiting"
    CREATING = "creating"
    STARTING = "starting"
    READY = "ready"
    DOWN = "down"
    """It died; the supervisor starts it again after a pause."""
    STOPPED = "stopped"


@dataclass(slots=True, kw_only=True)
class ServerEntry:
    """One Postgres server that the supervisor owns."""

    region: str
    shard: str
    state: PartState = PartState.WAITING
    pid: int | None = None
    dsn: str | None = None
    restarts: int = 0


@dataclass(slots=True, kw_only=True)
class NodeEntry:
    """One node process that the supervisor owns."""

    region: str
    name: str
    grpc: str
    http: str
    state: PartState = PartState.WAITING
    pid: int | None = None
    restarts: int = 0


@dataclass(slots=True, kw_only=True)
class RingState:
    """Everything another process needs in order to talk to the ring, or to see why there is none."""

    ring: str
    configuration: str
    """The absolute path of the file the ring was started from."""
    phase: Phase = Phase.STARTING
    supervisor: int = 0
    """Process id; meaningful only while the lock is held."""
    servers: list[ServerEntry] = field(default_factory=list)
    nodes: list[NodeEntry] = field(default_factory=list)
    error: dict[str, str] | None = None
    """``code`` and ``message`` when the phase is ``failed``."""

    def parts(self) -> Sequence[ServerEntry | NodeEntry]:
        """All processes but the supervisor itself."""
        return [*self.servers, *self.nodes]

    def regions(self) -> list[str]:
        """Names of the regions that have a node here, in order of appearance."""
        return list(dict.fromkeys(node.region for node in self.nodes))

    def save(self, path: Path) -> None:
        """Replace the file in one step: a reader sees the old state or the new one. Readable by this user alone."""
        partial = path.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path) -> RingState | None:
        """The state as last written; ``None`` if there is none, or it was written by another version."""
        try:
            raw: dict[str, Any] = orjson.loads(path.read_bytes())
            return cls(
                **{
                    **raw,
                    "phase": Phase(raw["phase"]),
                    "servers": [_server(entry) for entry in raw["servers"]],
                    "nodes": [_node(entry) for entry in raw["nodes"]],
                }
            )
        except (FileNotFoundError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return None


def _server(raw: dict[str, Any]) -> ServerEntry:
    return ServerEntry(**{**raw, "state": PartState(raw["state"])})


def _node(raw: dict[str, Any]) -> NodeEntry:
    return NodeEntry(**{**raw, "state": PartState(raw["state"])})
