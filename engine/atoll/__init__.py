"""Atoll: multi-region data replication and sharding on stock Postgres.

Every region keeps serving reads and writes when cut off; nothing acknowledged is lost; all regions agree in the end.

``connect`` leads in; ``increment``, ``add``, ``remove``, ``assign`` and ``clear`` say what an update does; errors are
in :mod:`atoll.errors`. All but the version is loaded when it is first used, so that ``import atoll`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atoll.client.client import Client as Client
    from atoll.client.connecting import connect as connect
    from atoll.client.connecting import connect_sync as connect_sync
    from atoll.client.operations import add as add
    from atoll.client.operations import assign as assign
    from atoll.client.operations import clear as clear
    from atoll.client.operations import increment as increment
    from atoll.client.operations import remove as remove
    from atoll.client.sync import SyncClient as SyncClient

__version__ = "0.1.0"

_HOMES = {
    "Client": "atoll.client.client",
    "SyncClient": "atoll.client.sync",
    "add": "atoll.client.operations",
    "assign": "atoll.client.operations",
    "clear": "atoll.client.operations",
    "connect": "atoll.client.connecting",
    "connect_sync": "atoll.client.connecting",
    "increment": "atoll.client.operations",
    "remove": "atoll.client.operations",
}

__all__ = ["__version__", *_HOMES]


def __dir__() -> list[str]:
    return list(__all__)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'atoll' has no attribute {name!r}")
    found = getattr(import_module(home), name)
    globals()[name] = found
    return found
