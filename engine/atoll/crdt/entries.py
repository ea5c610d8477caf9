"""Entries that live until a write that has seen them removes them: the dot store under every causal rule.

An entry begins with its dot's two parts, the actor and the counter; what follows is the rule's. Entries under one key
are a tuple sorted by dot. The *knowledge* of a state says which entries it has seen and no longer holds: those whose
dot its context covers, and those named in ``removed``.

``removed`` is what makes deltas exact. One write shares one dot over all the fields it touches, so a delta cannot
name what it removes through its context: covering the dot would remove the write's entries in *other* fields, and
would claim the removals which that write made itself, although the delta does not carry them. So the context of a
delta covers the delta's own write alone, and the removals travel as ``(key, actor, counter)`` until the removed write
is covered. A state therefore depends on nothing but the set of writes joined into it, and equal contexts imply equal
states (promise I3) however deltas were lost, repeated or reordered.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

from atoll.causality.context import Context
from atoll.ids import Actor

Entry = tuple[Any, ...]
"""``(actor, counter, ...)``."""

Entries = tuple[Entry, ...]

Removal = tuple[Hashable, Actor, int]
"""Key within the field (``None`` where a field has one key), actor and counter of the entry that was removed."""

Removed = frozenset[Removal]

NOTHING_REMOVED: Removed = frozenset()


class Knowledge(NamedTuple):
    """What a state knows about one field's entries beyond those it holds."""

    context: Context
    removed: Removed = NOTHING_REMOVED

    def has_seen(self, key: Hashable, actor: Actor, counter: int) -> bool:
        """Whether an entry that is absent here was removed, rather than not yet known."""
        return self.context.has(actor, counter) or (key, actor, counter) in self.removed


def join_entries(key: Hashable, mine: Entries, theirs: Entries, my: Knowledge, their: Knowledge) -> Entries:
    """The entries under one key that both hold, or that one holds and the other has not seen.

    Almeida, Shoker, Baquero (2016), §6: ``(s ∩ s') ∪ (s \\ c') ∪ (s' \\ c)``.
    """
    if mine == theirs:
        return mine
    kept = [entry for entry in mine if entry in theirs or not their.has_seen(key, entry[0], entry[1])]
    kept += [entry for entry in theirs if entry not in mine and not my.has_seen(key, entry[0], entry[1])]
    kept.sort(key=dot_of)
    return tuple(kept)


def removals(key: Hashable, entries: Iterable[Entry]) -> Removed:
    """The removal of all ``entries`` under one key."""
    return frozenset([(key, entry[0], entry[1]) for entry in entries])


def dot_of(entry: Entry) -> tuple[Actor, int]:
    """The identity of an entry; also its place in the canonical order."""
    return (entry[0], entry[1])
