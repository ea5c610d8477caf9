"""``counter``: every increment counts once; a reset takes back exactly the increments that it has seen.

Per actor a counter holds the running total of the actor's increments as of its last write (``total`` at ``dot``),
and the latest running total that any reset has seen of it (``base`` at ``seen``). Both only grow in their dot, so the
join is the later of each; an increment concurrent with a reset survives as exactly its own amount. Totals are never
taken back by removing them, as a dot store would: a removed and re-created counter would count them again.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Context as DecimalContext
from decimal import Decimal, Inexact, InvalidOperation, Overflow
from typing import Any, Final, NamedTuple

from atoll.causality.dot import Dot
from atoll.crdt.entries import NOTHING_REMOVED, Knowledge, Removed
from atoll.crdt.operations import Clear, FieldOperation, Increment
from atoll.crdt.rule import MergeRule
from atoll.crdt.schema import Rule
from atoll.crdt.value import check_decimal, check_value
from atoll.errors import InvalidValue, WrongRule
from atoll.ids import Actor
from atoll.instant import Timestamp
from atoll.limits import COUNTER_DIGITS_MAX, DECIMAL_EXPONENT_MAX, INTEGER_MAX

Number = int | Decimal

_EXACT: Final = DecimalContext(
    prec=4 * (DECIMAL_EXPONENT_MAX + COUNTER_DIGITS_MAX), traps=[Inexact, InvalidOperation, Overflow]
)
"""Wide enough that sums of legal Decimals never round."""


class Row(NamedTuple):
    """One actor's part: ``total`` as of its write ``dot``, of which resets took back ``base``, seen at ``seen``.

    A zero ``dot`` or ``seen`` means "not known here". The row counts while ``dot > seen``.
    """

    actor: Actor
    dot: int
    total: Number
    seen: int
    base: Number


Rows = tuple[Row, ...]
"""Sorted by actor, one row an actor."""


class Counter(MergeRule[Rows]):
    """Amounts are int or Decimal; a sum in which a Decimal takes part is an exact Decimal. Never float."""

    name = Rule.COUNTER
    code = 2
    allowed = "increment it, clear it, or put the whole record with a number in it"
    empty: Rows = ()

    def apply(
        self,
        field: str,
        operations: Sequence[FieldOperation],
        payload: Rows,
        dot: Dot,
        timestamp: Timestamp,  # noqa: ARG002
    ) -> tuple[Rows, Rows, Removed]:
        before = {row.actor: row for row in payload}
        after = dict(before)
        for operation in operations:
            if type(operation) is Increment:
                row = after.get(dot.actor) or _unknown(dot.actor)
                total = _sum(field, row.total, _amount(field, operation.amount))
                after[dot.actor] = row._replace(dot=dot.counter, total=total)
            elif type(operation) is Clear:
                # Also drops this write's own increments: a reset at this dot would swallow those that follow it.
                after = {actor: _reset(row) for actor, row in before.items()}
            else:
                raise self.refuse(operation)
        rows = tuple([row for _, row in sorted(after.items())])
        changes = [_change(before.get(row.actor), row) for row in rows if before.get(row.actor) is not row]
        return rows, tuple([row for row in changes if row.dot or row.seen]), NOTHING_REMOVED

    def replacement(self, field: str, value: Any) -> tuple[FieldOperation, ...]:
        return (Clear(field), Increment(field, _amount(field, value)))

    def join(self, mine: Rows, theirs: Rows, my: Knowledge, their: Knowledge) -> Rows:  # noqa: ARG002
        if mine == theirs or not theirs:
            return mine
        joined = {row.actor: row for row in mine}
        for row in theirs:
            joined[row.actor] = _later(joined[row.actor], row) if row.actor in joined else row
        return tuple(row for _, row in sorted(joined.items()))

    def is_alive(self, payload: Rows) -> bool:
        return any(row.dot > row.seen for row in payload)

    def value(self, payload: Rows) -> Number:
        counted = [row for row in payload if row.dot > row.seen]
        value: Number = 0
        for row in counted:
            value = _add(value, row.total)
            value = _add(value, _negated(row.base))
        return value

    def actors(self, payload: Rows) -> set[Actor]:
        return {row.actor for row in payload}

    def pack(self, payload: Rows, index: dict[Actor, int]) -> list[Any]:
        return [part for row in payload for part in (index[row.actor], *row[1:])]

    def unpack(self, body: list[Any], actors: dict[int, Actor]) -> Rows:
        rows = tuple(_row(body[at : at + 5], actors) for at in range(0, len(body), 5))
        if not rows or any(left.actor >= right.actor for left, right in itertools.pairwise(rows)):
            raise ValueError("the rows of a counter are empty or not in order")
        return rows


def _unknown(actor: Actor) -> Row:
    return Row(actor, 0, 0, 0, 0)


def _reset(row: Row) -> Row:
    return row._replace(seen=row.dot, base=row.total) if row.dot > row.seen else row


def _change(before: Row | None, after: Row) -> Row:
    """The parts of ``after`` that a write changed; the rest as not known."""
    before = before or _unknown(after.actor)
    dot, total = (after.dot, after.total) if after.dot > before.dot else (0, 0)
    seen, base = (after.seen, after.base) if after.seen > before.seen else (0, 0)
    return Row(after.actor, dot, total, seen, base)


def _later(left: Row, right: Row) -> Row:
    latest = left if left.dot >= right.dot else right
    reset = left if left.seen >= right.seen else right
    return Row(left.actor, latest.dot, latest.total, reset.seen, reset.base)


def _amount(field: str, amount: Any) -> Number:
    if type(amount) is int or type(amount) is Decimal:
        checked: Number = check_value(amount, f"fields.{field}")
        return checked
    raise WrongRule(f"field {field!r} is a counter: an amount is int or Decimal, not {type(amount).__name__}")


def _sum(field: str, total: Number, amount: Number) -> Number:
    """The running total after an increment; refused before it needs more digits than a Decimal may have."""
    after = _add(total, amount)
    if isinstance(after, Decimal):
        return check_decimal(after, f"fields.{field} (the running total)")
    if abs(after) >= 10**COUNTER_DIGITS_MAX:
        raise InvalidValue(f"fields.{field}: the running total would exceed {COUNTER_DIGITS_MAX} digits")
    return after


def _add(left: Number, right: Number) -> Number:
    if type(left) is int and type(right) is int:
        return left + right
    if type(left) is int and not left:  # else 0 + 1E+60 would be written out in 61 digits
        return right
    if type(right) is int and not right:
        return left
    return _EXACT.add(left, right)


def _negated(number: Number) -> Number:
    return -number if isinstance(number, int) else _EXACT.minus(number)  # the operator would round


def _row(body: list[Any], actors: dict[int, Actor]) -> Row:
    position, dot, total, seen, base = body
    if type(dot) is not int or type(seen) is not int or not (0 <= dot <= INTEGER_MAX and 0 <= seen <= INTEGER_MAX):
        raise ValueError("a row of a counter is out of bounds")
    if type(total) not in (int, Decimal) or type(base) not in (int, Decimal) or not (dot or seen):
        raise ValueError("a row of a counter is malformed")
    return Row(actors[position], dot, total, seen, base)
