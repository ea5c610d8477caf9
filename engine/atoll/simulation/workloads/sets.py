"""Scripts on sets: elements that are only ever added, and a few elements that come and go."""

from __future__ import annotations

from collections import Counter

from atoll.simulation.plan import Action
from atoll.simulation.workloads.stage import Player, Stage

POOL = 3
"""Elements of one key that come and go at a time. Small, so that additions and removals of one element meet."""

POOL_WRITES = 12
"""Writes to a key after which its oldest element is replaced: an element that is touched for ever tells little of
which addition a reader saw."""

TOGETHER = 0.5
"""Share of writes that a client elsewhere answers at the same moment with a write to the same element."""

APART_SECONDS_MAX = 0.03
"""How far apart two writes that are to be concurrent begin: less than most links between regions take."""


def add(stage: Stage) -> None:
    """Add unique elements and read."""
    for at_seconds in stage.arrivals():
        player, key = stage.somebody(), stage.key()
        if stage.chance(stage.traffic.reads):
            stage.read(player, at_seconds, key)
        else:
            stage.write_new(player, at_seconds, key)


def add_and_remove(stage: Stage) -> None:
    """Add and remove the elements of small pools, often the same one in two regions at once; read in between."""
    written: Counter[int] = Counter()
    writes = 1 - stage.traffic.reads
    for at_seconds in stage.arrivals(1 + writes * TOGETHER):
        player, key = stage.somebody(), stage.key()
        if stage.chance(stage.traffic.reads):
            stage.read(player, at_seconds, key)
            continue
        element = f"e{written[key] // POOL_WRITES + stage.random.randrange(POOL)}"
        written[key] += 1
        _change(stage, player, at_seconds, key, element)
        if stage.chance(TOGETHER):
            later_seconds = at_seconds + stage.random.uniform(0.0, APART_SECONDS_MAX)
            _change(stage, stage.somebody_elsewhere(player), later_seconds, key, element)


def _change(stage: Stage, player: Player, at_seconds: float, key: int, element: str) -> None:
    action = Action.ADD if stage.chance(0.5) else Action.REMOVE
    stage.do(player, at_seconds, action, key, element)
