"""Reads of counters against what can have been counted: bounds, and the sums that can be reached at the end.

Each increment counts once or, if it is not known yet or was taken back, not at all. For a reader an increment is
*certain* if it is in its past and nothing begun before the read's end can have taken it back; *over* if it was in the
past of an acknowledged reset or deletion that is in the reader's past, or began after the read's end; else *open*.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from atoll.simulation.checkers.black.contradictions import Contradiction, Kind
from atoll.simulation.checkers.black.fields import Field
from atoll.simulation.checkers.black.happens_before import HappensBefore
from atoll.simulation.checkers.black.lanes import Lanes, Removers, is_certain
from atoll.simulation.history import Entry, Status
from atoll.simulation.limits import REACHABLE_RANGES_MAX

Ranges = Sequence[tuple[int, int]]
"""Inclusive ranges in order, with gaps between them."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a read may show: ``certain`` plus any subset of ``open``."""

    certain: int
    open: Sequence[int]

    @property
    def least(self) -> int:
        """The smallest sum."""
        return self.certain + sum(amount for amount in self.open if amount < 0)

    @property
    def most(self) -> int:
        """The greatest sum."""
        return self.certain + sum(amount for amount in self.open if amount > 0)

    def reachable(self) -> Ranges:
        """The sums that there are, or a few more if they are too many to be told apart."""
        return reachable(self.certain, self.open)


class Ledger:
    """The increments of one counter, and what took them back."""

    def __init__(self, field: Field, order: HappensBefore) -> None:
        self._increments = [entry for entry in field.additions if isinstance(entry.planned.argument, int)]
        self._order = order
        self._removers = Removers(field.removals)
        self._threats = {entry.index: self._removers.threat(entry) for entry in self._increments}
        self._resets = Lanes([entry for entry in field.removals if entry.status is Status.OK], order)

    def account(self, read: Entry) -> Account:
        """What the read may show."""
        order, certain, still_open = self._order, 0, []
        resets = list(self._resets.last_known(read))
        for entry in self._increments:
            if entry.began >= read.ended:
                break
            if resets and any(order.before(entry, reset) for reset in resets):
                continue
            known = order.before(entry, read) and is_certain(entry, order)
            if known and self._threats[entry.index] >= read.ended:
                certain += entry.planned.argument
            else:
                still_open.append(entry.planned.argument)
        return Account(certain, still_open)


class Bounds:
    """The least and the most that reads of a counter may show while it is written, if nothing ever takes back.

    Less exact than an account and cheaper: increments of unknown outcome count as open even once they are known.
    """

    def __init__(self, field: Field, order: HappensBefore) -> None:
        assert not field.removals, "a reset takes back what bounds would rest on"
        self._lanes = Lanes([entry for entry in field.additions if is_certain(entry, order)], order)
        self._sums = {
            session: _running(self._lanes.part(session, 0, len(order.history))) for session in self._lanes.sessions()
        }
        by_beginning = sorted(field.additions, key=lambda entry: entry.began)
        self._begins = [entry.began for entry in by_beginning]
        self._begun = _running(by_beginning)

    def of(self, read: Entry) -> tuple[int, int]:
        """What the read may show at least and at most."""
        up = down = 0
        for session in self._lanes.sessions():
            known_up, known_down = self._sums[session][self._lanes.known(read, session)]
            up, down = up + known_up, down + known_down
        all_up, all_down = self._begun[bisect_left(self._begins, read.ended)]
        return up + min(all_down, down), max(all_up, up) + down


def _running(entries: Sequence[Entry]) -> list[tuple[int, int]]:
    """Running sums of what goes up and of what goes down, from nothing on."""
    sums = [(0, 0)]
    for entry in entries:
        up, down = sums[-1]
        amount = entry.planned.argument
        sums.append((up + max(amount, 0), down + min(amount, 0)))
    return sums


def reachable(certain: int, amounts: Iterable[int]) -> Ranges:
    """``certain`` plus every subset of ``amounts``, as at most ``REACHABLE_RANGES_MAX`` ranges that hold all of them.

    Largest amounts first, so that joining neighbours, if it must be, loses least.
    """
    ranges: list[tuple[int, int]] = [(certain, certain)]
    for amount in sorted(amounts, key=lambda amount: (-abs(amount), amount)):
        shifted = [(low + amount, high + amount) for low, high in ranges]
        ranges = _thinned(_united(sorted([*ranges, *shifted])))
    return ranges


def holds(ranges: Ranges, value: int) -> bool:
    """Whether a value lies in one of the ranges."""
    return any(low <= value <= high for low, high in ranges)


def backwards(field: Field, order: HappensBefore) -> Iterator[Contradiction]:
    """Reads below an earlier one that they knew of, of a counter that nothing can make smaller."""
    if field.removals or any(not _grows(entry) for entry in [*field.additions, *field.refused]):
        return
    lanes = Lanes(field.reads, order)
    for read in field.reads:
        above = [earlier for earlier in lanes.last_known(read) if amount_of(earlier) > amount_of(read)]
        if above:
            witness = max(above, key=lambda entry: entry.index)
            yield Contradiction(field=field, read=read, witness=witness, kind=Kind.BACKWARDS)


def amount_of(read: Entry) -> int:
    """What a read of a counter saw; an absent counter is zero."""
    return read.value if isinstance(read.value, int) else 0


def _grows(entry: Entry) -> bool:
    return isinstance(entry.planned.argument, int) and entry.planned.argument >= 0


def _united(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that touch or overlap as one."""
    united = [ranges[0]]
    for low, high in ranges[1:]:
        if low <= united[-1][1] + 1:
            united[-1] = (united[-1][0], max(united[-1][1], high))
        else:
            united.append((low, high))
    return united


def _thinned(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """At most so many ranges: the narrowest gaps are closed."""
    surplus = len(ranges) - REACHABLE_RANGES_MAX
    if surplus <= 0:
        return ranges
    gaps = sorted(range(1, len(ranges)), key=lambda at: (ranges[at][0] - ranges[at - 1][1], at))
    closed = set(gaps[:surplus])
    thinned: list[tuple[int, int]] = []
    for at, (low, high) in enumerate(ranges):
        if at in closed:
            thinned[-1] = (thinned[-1][0], high)
        else:
            thinned.append((low, high))
    return thinned
