"""Reads of registers against their causal past: the bad patterns of causal convergence that one read shows.

Bouajjani, Enea, Guerraoui, Hamza, *On Verifying Causal Consistency* (POPL 2017): WriteCORead (the value was
overwritten by something that the reader knew of) and WriteCOInitRead (nothing is there although the reader knew of a
write). Deletions and resets overwrite what their session knew of, and may remove anything that they can have seen;
they take no part in the arbitration of concurrent writes, so nothing is concluded from a winner that a deletion may
have decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from atoll.simulation.checkers.black.contradictions import Contradiction, Kind
from atoll.simulation.checkers.black.fields import Field, same
from atoll.simulation.checkers.black.happens_before import HappensBefore
from atoll.simulation.checkers.black.lanes import Lanes, Removers, is_certain
from atoll.simulation.checkers.black.provenance import writers
from atoll.simulation.history import Entry


def contradictions(field: Field, order: HappensBefore) -> Iterator[Contradiction]:
    """All reads of the register that contradict their past, one witness each: the latest."""
    sources = source_by_value(field)
    lanes = Lanes([entry for entry in field.writes if is_certain(entry, order)], order)
    additions = Lanes([entry for entry in field.additions if is_certain(entry, order)], order)
    removers = Removers(field.removals)
    for read in field.reads:
        if read.value is None:
            lost = [e for e in additions.last_known(read) if removers.threat(e) >= read.ended]
            if lost:
                yield Contradiction(field=field, read=read, witness=_latest(lost), kind=Kind.INITIAL)
            continue
        source = sources.get(same(read.value))
        if source is None:
            continue
        over = [entry for entry in lanes.last_known(read) if order.before(source, entry)]
        if over:
            yield Contradiction(field=field, read=read, witness=_latest(over), kind=Kind.OVERWRITTEN, undone=source)


def source_by_value(field: Field) -> Mapping[Any, Entry]:
    """The write of each value that only one write can have made."""
    return {value: entries[0] for value, entries in writers(field).items() if len(entries) == 1}


def preferences(field: Field, order: HappensBefore) -> Iterator[tuple[Entry, Entry, Entry]]:
    """``(loser, winner, read)``: the read knew of both writes and shows the winner (the relation CF of the paper).

    Only the last write of each session counts, earlier ones are before it; pairs that are causally ordered tell
    nothing new, and neither do losers that a deletion may have removed.
    """
    sources = source_by_value(field)
    additions = Lanes([entry for entry in field.additions if is_certain(entry, order)], order)
    removers = Removers(field.removals)
    for read in field.reads:
        winner = None if read.value is None else sources.get(same(read.value))
        if winner is None or winner.began >= read.ended:
            continue
        for loser in additions.last_known(read):
            ordered = loser is winner or order.before(loser, winner) or order.before(winner, loser)
            if not ordered and removers.threat(loser) >= read.ended:
                yield loser, winner, read


def _latest(entries: list[Entry]) -> Entry:
    return max(entries, key=lambda entry: entry.index)
