"""Scripts on one field at a time: counters, registers, and records that are deleted while others write them."""

from __future__ import annotations

from atoll.simulation.plan import Action
from atoll.simulation.workloads.sets import APART_SECONDS_MAX, TOGETHER
from atoll.simulation.workloads.stage import Stage

RESET_KEYS = 4
"""One key in so many is reset now and then; what the others hold is known to the last increment."""

RESETS = 0.1
"""Share of the writes to such a key that reset it."""

DELETES = 0.25
"""Share of writes that a delete elsewhere answers at the same moment."""


def count(stage: Stage) -> None:
    """Add unique amounts, some below zero, and reset a few of the counters."""
    for at_seconds in stage.arrivals():
        player, key = stage.somebody(), stage.key()
        if stage.chance(stage.traffic.reads):
            stage.read(player, at_seconds, key)
        elif key % RESET_KEYS == RESET_KEYS - 1 and stage.chance(RESETS):
            stage.do(player, at_seconds, Action.RESET, key)
        else:
            stage.write_new(player, at_seconds, key)


def overwrite(stage: Stage) -> None:
    """Write unique values, often to one register in two regions at once, and read."""
    writes = 1 - stage.traffic.reads
    for at_seconds in stage.arrivals(1 + writes * TOGETHER):
        player, key = stage.somebody(), stage.key()
        if stage.chance(stage.traffic.reads):
            stage.read(player, at_seconds, key)
            continue
        stage.write_new(player, at_seconds, key)
        if stage.chance(TOGETHER):
            later_seconds = at_seconds + stage.random.uniform(0.0, APART_SECONDS_MAX)
            stage.write_new(stage.somebody_elsewhere(player), later_seconds, key)


def delete_and_update(stage: Stage) -> None:
    """Write unique values, delete records elsewhere at the same moment, and read."""
    writes = 1 - stage.traffic.reads
    for at_seconds in stage.arrivals(1 + writes * DELETES):
        player, key = stage.somebody(), stage.key()
        if stage.chance(stage.traffic.reads):
            stage.read(player, at_seconds, key)
            continue
        stage.write_new(player, at_seconds, key)
        if stage.chance(DELETES):
            later_seconds = at_seconds + stage.random.uniform(0.0, APART_SECONDS_MAX)
            stage.do(stage.somebody_elsewhere(player), later_seconds, Action.DELETE, key)
