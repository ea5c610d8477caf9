"""The grey box: takes what storage and network report from inside, and judges the promises that clients cannot see.

It is the first of two oracles. The contexts and cuts it reads are made by the code under test and may lie; the black
box (:mod:`atoll.simulation.checkers.black_box`) looks at values alone. No checker here asks the engine's merge, its
inbox or its barrier what would be right: each holds a short specification of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from atoll.keyspace.topology import Topology
from atoll.simulation.checkers.grey.capture import Capture
from atoll.simulation.checkers.grey.checker import Check, Commit, End, Look, Shards
from atoll.simulation.checkers.grey.convergence import Convergence
from atoll.simulation.checkers.grey.dots import Dots
from atoll.simulation.checkers.grey.ledger import Ledger
from atoll.simulation.history import History
from atoll.simulation.observations import (
    Applied,
    Captured,
    Carried,
    Collected,
    Committed,
    Minted,
    Observation,
    Rewound,
)
from atoll.simulation.result import ConflictCount
from atoll.simulation.verdict import CheckerResult

CHECKS: Final[Sequence[type[Check]]] = (Dots, Convergence, Capture)

_HOOKS: Final[Mapping[type[Any], str]] = {
    Committed: "committed",
    Captured: "captured",
    Applied: "applied",
    Collected: "collected",
    Rewound: "rewound",
    Minted: "minted",
    Carried: "carried",
}


class GreyBox:
    """An :class:`~atoll.simulation.observations.Observer`. ``now`` gives seconds since traffic began."""

    def __init__(self, topology: Topology, now: Callable[[], float]) -> None:
        self._ledger = Ledger(topology, now)
        self._checks = [kind(self._ledger) for kind in CHECKS]
        self._listeners = {
            hook: [check for check in self._checks if getattr(type(check), hook) is not getattr(Check, hook)]
            for hook in (*_HOOKS.values(), "sampled", "finished")
        }

    def observe(self, observation: Observation) -> None:
        """Take in one observation; called synchronously, in the order of the effects."""
        writes = self._ledger.take(observation)
        seen = Commit(observation, writes) if isinstance(observation, Committed) else observation
        self._call(_HOOKS[type(observation)], seen)

    def sample(self, shards: Shards) -> None:
        """Look at the durable shards; called some times a second. Looks closely only at what has changed."""
        self._call("sampled", Look(shards, self._ledger.sample(shards)))

    def finish(self, shards: Shards, history: History, converged: bool) -> Sequence[CheckerResult]:
        """The verdicts; called once. ``converged``: everything was mended, and all regions then became equal."""
        self._call("sampled", Look(shards, self._ledger.sample(shards, everything=True)))
        self._call("finished", End(shards, history, converged))
        return [check.result() for check in self._checks]

    def conflicts(self) -> Mapping[str, ConflictCount]:
        """Concurrent writes that met, by ``collection.field``; after :meth:`finish`."""
        return {}

    def _call(self, hook: str, argument: Any) -> None:
        for check in self._listeners[hook]:
            check.attempt(partial(getattr(check, hook), argument))
