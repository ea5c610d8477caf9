"""Random histories of a store that is right are valid; the same with one thing corrupted are violated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest
from tests.unit.simulation.checkers.black.reference_store import TOPOLOGY, play

from atoll.simulation.checkers.black_box import check_history
from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action, Plan
from atoll.simulation.verdict import Verdict

SEEDS = range(20)


@cache
def right_history(seed: int) -> tuple[list[Entry], Plan]:
    return play(f"{seed}:right")


def anomalies(entries: Sequence[Entry], plan: Plan) -> set[str]:
    results = check_history(entries, TOPOLOGY, plan, converged=True)
    assert not [result.note for result in results if "the checker failed" in result.note]
    return {f"{finding.checker}: {finding.anomaly}: {finding.sentence}" for r in results for finding in r.findings}


@pytest.mark.parametrize("seed", SEEDS)
def test_history_of_a_right_store_is_valid(seed: int) -> None:
    entries, plan = right_history(seed)
    assert not anomalies(entries, plan)


def test_histories_of_a_right_store_hold_what_makes_them_hard() -> None:
    statuses, legal = set(), set()
    for seed in SEEDS:
        entries, plan = right_history(seed)
        statuses |= {entry.status for entry in entries}
        results = check_history(entries, TOPOLOGY, plan, converged=True)
        legal |= {name for result in results for name, count in result.legal.items() if count}
        unknown = {result.checker for result in results if result.verdict is Verdict.UNKNOWN}
        assert unknown == {"availability"}
    assert statuses == set(Status)
    assert {"stale reads", "long forks", "values that lost to a concurrent write"} <= legal
    assert {"increments of unknown outcome", "moves between regions", "session_not_covered"} <= legal


# -- corruptions --------------------------------------------------------------------------------------------------

Corruption = Callable[[list[Entry]], Iterator[Entry]]
"""Yields entries, each with one thing changed so that no right store can have shown it."""


def acknowledged(entries: Sequence[Entry], key: str, action: Action) -> list[Entry]:
    return [e for e in entries if e.planned.key == key and e.planned.action is action and e.status is Status.OK]


def reads(entries: Sequence[Entry], key: str, *, final: bool) -> list[Entry]:
    return [e for e in acknowledged(entries, key, Action.READ) if e.final is final]


def with_value(read: Entry, value: Any) -> Entry:
    return replace(read, value=value, exists=True)


def without(read: Entry, element: Any) -> Entry:
    return with_value(read, tuple(other for other in read.value if other != element) or None)


def lose_an_element_at_the_end(entries: list[Entry]) -> Iterator[Entry]:
    added = {entry.planned.argument for entry in acknowledged(entries, "t", Action.ADD)}
    for read in reads(entries, "t", final=True):
        yield from (without(read, element) for element in read.value if element in added)


def lose_an_own_element(entries: list[Entry]) -> Iterator[Entry]:
    for write in acknowledged(entries, "t", Action.ADD):
        later = [r for r in reads(entries, "t", final=False) if r.session == write.session and r.index > write.index]
        yield from (without(read, write.planned.argument) for read in later)


def forget_what_was_read(entries: list[Entry]) -> Iterator[Entry]:
    own = reads(entries, "t", final=False)
    for first in own:
        for second in own:
            if second.session == first.session and second.index > first.index and first.value:
                yield without(second, first.value[0])


def invent_an_element(entries: list[Entry]) -> Iterator[Entry]:
    for key in "tu":
        yield from (with_value(read, (*(read.value or ()), "ghost")) for read in reads(entries, key, final=False))


def invent_a_value(entries: list[Entry]) -> Iterator[Entry]:
    yield from (with_value(read, "ghost") for read in reads(entries, "r", final=False))


def count_twice(entries: list[Entry]) -> Iterator[Entry]:
    for key in "np":
        for write in acknowledged(entries, key, Action.INCREMENT):
            read = reads(entries, key, final=True)[0]
            yield with_value(read, read.value + write.planned.argument)


def lose_an_increment(entries: list[Entry]) -> Iterator[Entry]:
    for write in acknowledged(entries, "n", Action.INCREMENT):
        read = reads(entries, "n", final=True)[1]
        yield with_value(read, read.value - write.planned.argument)


def let_a_counter_go_back(entries: list[Entry]) -> Iterator[Entry]:
    own = reads(entries, "p", final=False)
    for first in own:
        for second in own:
            if second.session == first.session and second.index > first.index and first.value:
                yield with_value(second, first.value - 1)


def go_back_to_an_overwritten_value(entries: list[Entry]) -> Iterator[Entry]:
    writes = acknowledged(entries, "r", Action.SET)
    for first in writes:
        for second in writes:
            if second.session == first.session and second.index > first.index:
                yield from (with_value(read, first.planned.argument) for read in reads(entries, "r", final=True))
                later = [r for r in reads(entries, "r", final=False) if r.session == first.session]
                yield from (with_value(r, first.planned.argument) for r in later if r.index > second.index)


def empty_a_written_register(entries: list[Entry]) -> Iterator[Entry]:
    for write in acknowledged(entries, "r", Action.SET):
        later = [r for r in reads(entries, "r", final=False) if r.session == write.session and r.index > write.index]
        yield from (replace(read, value=None, exists=False) for read in later)


def end_differently(entries: list[Entry]) -> Iterator[Entry]:
    values = [write.planned.argument for write in acknowledged(entries, "r", Action.SET)]
    for read in reads(entries, "r", final=True):
        yield from (with_value(read, value) for value in values if value != read.value)


def resurrect(entries: list[Entry]) -> Iterator[Entry]:
    """An element that one session added and then removed, and that nobody else ever added."""
    additions = [e for e in entries if e.planned.key == "u" and e.planned.action is Action.ADD]
    for removal in acknowledged(entries, "u", Action.REMOVE):
        mine = [e for e in additions if e.planned.argument == removal.planned.argument]
        if any(e.status is Status.OK for e in mine) and all(
            e.session == removal.session and e.index < removal.index for e in mine
        ):
            read = reads(entries, "u", final=True)[2]
            yield with_value(read, tuple(sorted({*(read.value or ()), removal.planned.argument})))


CORRUPTIONS: dict[Corruption, str] = {
    lose_an_element_at_the_end: "sets: lost element",
    lose_an_own_element: "sessions: read your writes",
    forget_what_was_read: "sessions: ",
    invent_an_element: "value from nowhere",
    invent_a_value: "registers: value from nowhere",
    count_twice: "counters: wrong sum",
    lose_an_increment: "counters: wrong sum",
    let_a_counter_go_back: "counters: ",
    go_back_to_an_overwritten_value: "registers: ",
    empty_a_written_register: "registers: written register is empty",
    end_differently: "agreement: regions differ in the end",
    resurrect: "add and remove: resurrected element",
}
"""What each must be found as."""


@pytest.mark.parametrize("corrupt", CORRUPTIONS, ids=[corruption.__name__ for corruption in CORRUPTIONS])
def test_corrupted_history_is_violated(corrupt: Corruption) -> None:
    tried = 0
    for seed in SEEDS:
        entries, plan = right_history(seed)
        possible = [entry for entry in corrupt(entries) if entry != entries[entry.index]]
        for changed in Random(f"{seed}:{corrupt.__name__}").sample(possible, min(5, len(possible))):
            corrupted = [*entries[: changed.index], changed, *entries[changed.index + 1 :]]
            found = anomalies(corrupted, plan)
            assert any(CORRUPTIONS[corrupt] in one for one in found), f"seed {seed}: {changed}: {found}"
            tried += 1
    assert tried >= 5
