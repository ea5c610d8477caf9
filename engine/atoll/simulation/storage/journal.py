"""The write-ahead log of a simulated server: what is durable, in which order, and what a crash leaves of it.

A commit record is durable when the log is flushed beyond it, visible after that, acknowledged after that. A flush
that ends takes all earlier records along; a crash in the middle of flushes keeps a prefix of what they were writing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple

from atoll.simulation.limits import FAILOVER_LAG_SECONDS_MAX, JOURNAL_TRIM_ENTRIES
from atoll.simulation.storage.steps import Commit, Content


@dataclass(slots=True, kw_only=True)
class PendingCommit:
    """A commit record that is being flushed."""

    place: int
    transaction: int
    commit: Commit


class _Entry(NamedTuple):
    at: float
    transaction: int
    effect: Callable[[Content], object]


class Journal:
    """The log of one history. ``base`` and the entries after it make any state of the last
    ``FAILOVER_LAG_SECONDS_MAX`` seconds."""

    def __init__(self, base: Content) -> None:
        self._base = base
        self._entries: deque[_Entry] = deque()
        self._pending: dict[int, PendingCommit] = {}
        self._last = 0
        self._flushed = 0
        self.durable_transaction = base.shard.next_transaction - 1
        """The greatest number of a transaction that is known to the flushed part of the log."""

    def append(self, transaction: int, commit: Commit) -> PendingCommit:
        """Write a commit record; its flush begins."""
        self._last += 1
        pending = PendingCommit(place=self._last, transaction=transaction, commit=commit)
        self._pending[self._last] = pending
        return pending

    def flushed(self, pending: PendingCommit) -> None:
        """The flush has ended: the record and all before it are durable."""
        del self._pending[pending.place]
        self._flushed = max(self._flushed, pending.place)

    def crash(self, choose: Callable[[int, int], int]) -> tuple[Sequence[PendingCommit], Sequence[PendingCommit]]:
        """The server dies: which of the commits being flushed survive, in order, and which are lost. ``choose`` draws
        how far the log was flushed, from what is certain to what was written."""
        cut = choose(self._flushed, self._last)
        kept = [each for place, each in self._pending.items() if place <= cut]
        lost = [each for place, each in self._pending.items() if place > cut]
        self._pending.clear()
        return kept, lost

    def note(self, pending: PendingCommit, at: float) -> None:
        """A durable commit has taken effect: replicas will receive it."""
        self.durable_transaction = max(self.durable_transaction, pending.transaction)
        self._entries.append(_Entry(at, pending.transaction, pending.commit.effect))
        if len(self._entries) > JOURNAL_TRIM_ENTRIES and self._entries[0].at < at - 2 * FAILOVER_LAG_SECONDS_MAX:
            while self._entries[0].at < at - FAILOVER_LAG_SECONDS_MAX:
                _replay(self._entries.popleft(), self._base)

    def replica(self, at: float) -> tuple[Content, Sequence[int]]:
        """What a replica holds that had received the log up to ``at``, and the transactions it lacks."""
        made = copy_of(self._base)
        for entry in self._entries:
            if entry.at <= at:
                _replay(entry, made)
        return made, [entry.transaction for entry in self._entries if entry.at > at]

    def transactions(self) -> Sequence[int]:
        """Those of this history that have taken effect, as far back as the log goes."""
        return [entry.transaction for entry in self._entries]


def _replay(entry: _Entry, content: Content) -> None:
    entry.effect(content)
    content.shard.next_transaction = max(content.shard.next_transaction, entry.transaction + 1)


def copy_of(content: Content) -> Content:
    """A server's content of its own; what is immutable in it is shared."""
    catalog = copy(content.catalog)
    catalog.births = dict(content.catalog.births)
    return Content(shard=content.shard.copy(), catalog=catalog, history=content.history)
