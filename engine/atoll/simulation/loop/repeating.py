"""Was it the same run? The test that every seed owes: run it again and compare the traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from atoll.simulation.limits import STEPS_PER_ROUND
from atoll.simulation.loop.trace import Trace

V = TypeVar("V")


def difference_when_repeated(run: Callable[[], Trace]) -> str | None:
    """Run twice; ``None`` if both were the same run, else where they part, in words."""
    return first_difference(run(), run())


def first_difference(one: Trace, other: Trace) -> str | None:
    """Where two runs of one seed part: the first event that differs, if both were recorded, and the steps around it.

    Steps are only known by their blocks; the cause comes before the first event that shows it.
    """
    if one.hexdigest() == other.hexdigest():
        return None
    block = _first_unequal(one.checkpoints, other.checkpoints)
    where = f"within steps {block * STEPS_PER_ROUND} to {(block + 1) * STEPS_PER_ROUND}"
    if not one.events and not other.events:
        return f"the runs part {where}; record them to see the first event that differs"
    event = _first_unequal(one.events, other.events)
    if event == len(one.events) == len(other.events):
        return f"the runs part {where}; all {event} recorded events are equal"
    return f"the runs part {where}; event {event} is {_shown(one.events, event)} or {_shown(other.events, event)}"


def _first_unequal(ones: Sequence[V], others: Sequence[V]) -> int:
    shorter = min(len(ones), len(others))
    return next((index for index in range(shorter) if ones[index] != others[index]), shorter)


def _shown(events: Sequence[object], index: int) -> str:
    return str(events[index]) if index < len(events) else "missing"
