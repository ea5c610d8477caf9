"""Slips in the merge rules: what concurrent writes come to."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.simulations.mutants.mutant import Mutant, Replacement

from atoll.crdt import add_wins_set, counter, lww
from atoll.crdt.add_wins_set import AddWinsSet, Elements
from atoll.crdt.counter import Counter, Row, Rows
from atoll.crdt.entries import Entries, Knowledge, dot_of, join_entries
from atoll.crdt.lww import LastWriterWins
from atoll.simulation.loop.event_loop import SimulationLoop


def _join_that_forgets_removals(
    _key: Any, mine: Entries, theirs: Entries, _my: Knowledge, _their: Knowledge
) -> Entries:
    return tuple(sorted({*mine, *theirs}, key=dot_of))


def _last_arrival(
    _self: LastWriterWins, mine: Entries, theirs: Entries, _my: Knowledge, _their: Knowledge
) -> Entries:
    return theirs or mine


_join_registers = LastWriterWins.join


def _winner_alone(self: LastWriterWins, mine: Entries, theirs: Entries, my: Knowledge, their: Knowledge) -> Entries:
    joined = _join_registers(self, mine, theirs, my, their)
    return (max(joined, key=lambda entry: (entry[2], entry[0])),) if joined else ()


def _greatest_actor(_self: LastWriterWins, payload: Entries) -> Any:
    """The entries are sorted by actor, and that of the greatest timestamp is meant."""
    return payload[-1][3]


_strength = lww._strength


def _strength_elsewhere(entry: tuple[Any, ...]) -> tuple[Any, ...]:
    """One region still runs a release that broke ties, and all else, the other way round."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _strength(entry)
    assert isinstance(loop, SimulationLoop)
    timestamp, actor, dot = _strength(entry)
    return (-timestamp if loop.current_host().name.startswith("tokyo/n") else timestamp, actor, dot)


def _adding_join(_self: Counter, mine: Rows, theirs: Rows, _my: Knowledge, _their: Knowledge) -> Rows:
    joined = {row.actor: row for row in mine}
    for row in theirs:
        held = joined.get(row.actor)
        total = row.total + held.total if held and row.dot > held.dot else row.total
        joined[row.actor] = Row(row.actor, max(row.dot, held.dot if held else 0), total, row.seen, row.base)
    return tuple(joined[actor] for actor in sorted(joined))


def _later_as_one(left: Row, right: Row) -> Row:
    """The row of the later increment, with whatever it knows of resets."""
    return left if left.dot >= right.dot else right


def _removals_win(_self: AddWinsSet, mine: Elements, theirs: Elements, my: Knowledge, their: Knowledge) -> Elements:
    """An element is gone as soon as either side has removed any addition of it."""
    joined = {}
    for element in {**mine, **theirs}:
        ours, others = mine.get(element, ()), theirs.get(element, ())
        gone = any(their.has_seen(element, *dot[:2]) for dot in ours if dot not in others)
        gone = gone or any(my.has_seen(element, *dot[:2]) for dot in others if dot not in ours)
        kept = join_entries(element, ours, others, my, their)
        if kept and not (gone and not (ours and others)):
            joined[element] = kept
    return joined


MUTANTS = (
    Mutant(
        name="removals-forgotten",
        bug="a join keeps what the other side has removed",
        promise="I3",
        scenario="everything-at-once",
        replacements=[
            Replacement(add_wins_set, "join_entries", _join_that_forgets_removals),
            Replacement(lww, "join_entries", _join_that_forgets_removals),
        ],
    ),
    Mutant(
        name="lww-by-arrival",
        bug="the write that arrives last wins, whatever its timestamp",
        promise="I3",
        scenario="everything-at-once",
        replacements=[Replacement(LastWriterWins, "join", _last_arrival)],
    ),
    Mutant(
        name="lww-drops-losers",
        bug="a register keeps the winner of a conflict only, so the outcome depends on who met whom first",
        promise="I3",
        scenario="everything-at-once",
        replacements=[Replacement(LastWriterWins, "join", _winner_alone)],
    ),
    Mutant(
        name="lww-by-actor",
        bug="of concurrent values that of the greatest actor is shown, not that of the greatest timestamp",
        promise="I3",
        scenario="everything-at-once",
        replacements=[Replacement(LastWriterWins, "value", _greatest_actor)],
    ),
    Mutant(
        name="lww-other-way-round-in-one-region",
        bug="the nodes of one region let the smallest timestamp win",
        promise="I3",
        scenario="everything-at-once",
        seed=2,
        replacements=[Replacement(lww, "_strength", _strength_elsewhere)],
    ),
    Mutant(
        name="counter-adds-states",
        bug="joining a counter adds the totals of two states of one actor",
        promise="I3",
        scenario="everything-at-once",
        replacements=[Replacement(Counter, "join", _adding_join)],
    ),
    Mutant(
        name="counter-forgets-resets",
        bug="of two states of a counter the one with the later increment is taken, and a reset that only the other "
        "knows is lost",
        promise="I3",
        scenario="everything-at-once",
        seed=1,
        replacements=[Replacement(counter, "_later", _later_as_one)],
    ),
    Mutant(
        name="removals-win",
        bug="the removal of an element takes an addition along that it has not seen",
        promise="I3",
        scenario="everything-at-once",
        seed=1,
        replacements=[Replacement(AddWinsSet, "join", _removals_win)],
    ),
)
