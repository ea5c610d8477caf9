"""The grey box: takes what storage and network report from inside, and judges the promises that clients cannot see.

It is the first of two oracles. The contexts and cuts it reads are made by the code under test and may lie; the black
box (:mod:`atoll.simulation.checkers.black_box`) looks at values alone. No checker here asks the engine's merge, its
inbox or its barrier what would be right: each holds a short specification of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from atoll.keyspace.topology import Topology
from atoll.simulation.checkers.grey.bounds import Bounds
from atoll.simulation.checkers.grey.capture import Capture
from atoll.simulation.checkers.grey.causality import Causality
from atoll.simulation.checkers.grey.checker import Check, Commit, End, Look, Shards
from atoll.simulation.checkers.grey.clocks import Clocks
from atoll.simulation.checkers.grey.conflicts import Conflicts
from atoll.simulation.checkers.grey.convergence import Convergence
from atoll.simulation.checkers.grey.dots import Dots
from atoll.simulation.checkers.grey.durability import Durability
from atoll.simulation.checkers.grey.ledger import Ledger
from atoll.simulation.checkers.grey.ownership import Owning
from atoll.simulation.checkers.grey.replay import Merging
from atoll.simulation.checkers.grey.residency import Residency
from atoll.simulation.checkers.grey.session_order import SessionOrder
from atoll.simulation.checkers.grey.sessions import Sessions
from atoll.simulation.checkers.grey.shipping import Shipping
from atoll.simulation.checkers.grey.stability import Stability
from atoll.simulation.history import History
from atoll.simulation.observations import (
    Applied,
    Captured,
    Carried,
    Collected,
    Committed,
    Connected,
    Minted,
    Observation,
    Rewound,
)
from atoll.simulation.result import ConflictCount
from atoll.simulation.verdict import CheckerResult

CHECKS: Final[Sequence[type[Check]]] = (
    Durability,
    Dots,
    Convergence,
    Merging,
    Causality,
    Capture,
    Shipping,
    Owning,
    Residency,
    Sessions,
    SessionOrder,
    Stability,
    Bounds,
    Clocks,
)
"""In the order of the promises."""

_HOOKS: Final[Mapping[type[Any], str]] = {
    Committed: "committed",
    Captured: "captured",
    Applied: "applied",
    Collected: "collected",
    Rewound: "rewound",
    Minted: "minted",
    Connected: "connected",
    Carried: "carried",
}


class GreyBox:
    """An :class:`~atoll.simulation.observations.Observer`. ``now`` gives seconds since traffic began."""

    def __init__(self, topology: Topology, now: Callable[[], float]) -> None:
        self._ledger = Ledger(topology, now)
        self._conflicts = Conflicts(self._ledger)
        self._counts: Mapping[str, ConflictCount] = {}
        self._checks = [kind(self._ledger) for kind in CHECKS]
        self._listeners: Mapping[str, Sequence[tuple[Check, Callable[[Any], None]]]] = {
            hook: [
                (check, getattr(check, hook))
                for check in self._checks
                if getattr(type(check), hook) is not getattr(Check, hook)
            ]
            for hook in (*_HOOKS.values(), "sampled", "finished")
        }

    def observe(self, observation: Observation) -> None:
        """Take in one observation; called synchronously, in the order of the effects."""
        writes = self._ledger.take(observation)
        seen = Commit(observation, writes) if isinstance(observation, Committed) else observation
        self._call(_HOOKS[type(observation)], seen)
        if isinstance(observation, Applied):
            self._look_for_conflicts(observation)

    def sample(self, shards: Shards) -> None:
        """Look at the durable shards; called some times a second. Looks closely only at what has changed."""
        serving = self._ledger.serving(shards)
        self._call("sampled", Look(serving, self._ledger.sample(serving)))

    def finish(self, shards: Shards, history: History, converged: bool) -> Sequence[CheckerResult]:
        """The verdicts; called once. ``converged``: everything was mended, and all regions then became equal."""
        serving = self._ledger.serving(shards)
        self._call("sampled", Look(serving, self._ledger.sample(serving, everything=True), is_last=True))
        self._call("finished", End(serving, history, converged))
        self._counts = self._conflicts.count(serving, history)
        return [check.result() for check in self._checks]

    def conflicts(self) -> Mapping[str, ConflictCount]:
        """Concurrent writes that met, by ``collection.field``; after :meth:`finish`."""
        return self._counts

    def _look_for_conflicts(self, seen: Applied) -> None:
        """A merge makes a context that nobody had before; whatever else a join brings was looked at where it came
        from."""
        for id in seen.held:
            version = self._ledger.version(seen.shard, id)
            if version is not None and version.shard == seen.shard and version.at == self._ledger.now:
                self._conflicts.look(version)

    def _call(self, hook: str, argument: Any) -> None:
        for check, method in self._listeners[hook]:
            if not check.failure:
                try:
                    method(argument)
                except Exception as error:  # a checker that breaks must not take the run with it, nor look valid
                    check.failed(error)
