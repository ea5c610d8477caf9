"""``atoll.toml``: one file that says what the ring is, read and checked before anything starts.

:func:`load` reads the file and the environment (``ATOLL_RING``, ``ATOLL_REGIONS__TOKYO__SHARDS__S1__DSN``, ...; the
environment wins), checks all of it, and returns a :class:`Configuration` or raises
:class:`~atoll.errors.InvalidConfiguration` with every problem it found. What only a server can answer is checked by
:mod:`atoll.postgres.preflight`.
"""

from __future__ import annotations

from atoll.configuration.configuration import Allotment, Configuration, NodeAddresses, NodeAt, load
from atoll.configuration.token_key import ensure_token_key, read_token_key

__all__ = [
    "Allotment",
    "Configuration",
    "NodeAddresses",
    "NodeAt",
    "ensure_token_key",
    "load",
    "read_token_key",
]
