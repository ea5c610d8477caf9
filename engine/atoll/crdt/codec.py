"""The canonical bytes of a record: a context and a state, equal content being equal bytes.

Both begin with a version byte; the rest is msgpack (:mod:`atoll.crdt.packing`).

context
    ``[actor, seen, actor, seen, ...]`` in the order of the actors. ``seen`` is the counter up to which everything was
    seen, or, with gaps, the flat intervals ``[lo, hi, lo, hi, ...]``.
state
    ``[presence, fields]``, and for a delta ``[presence, fields, removed, strangers]``. Dots are ``position, counter``
    where the position counts the context's actors, then ``strangers``: actors the state names but the context does
    not. ``presence`` is ``[position, counter, ...]``; ``fields`` is ``[name, rule code, body, ...]`` in the order of
    names; ``removed`` is ``[name, [key, position, counter, ...], ...]``, the empty name being the presence.

The record that was never written has empty bytes for both.
"""

from __future__ import annotations

import itertools
from typing import Any, Final, NamedTuple

from atoll.causality.context import Context
from atoll.causality.intervals import Intervals
from atoll.crdt.entries import Entries, Removed
from atoll.crdt.packing import ELEMENT_RANK, UNPACK_ERRORS, is_stored_form, pack, unpack
from atoll.crdt.record import FieldState, Record
from atoll.crdt.registry import RULE_OF_CODE
from atoll.errors import CorruptFrame
from atoll.ids import Actor
from atoll.limits import INTEGER_MAX

CONTEXT_VERSION: Final = b"\x01"
STATE_VERSION: Final = b"\x01"

Encoded = tuple[bytes, bytes]
"""The bytes of the context and of the state."""


class Merged(NamedTuple):
    """The outcome of :func:`merge_bytes`."""

    context: bytes
    state: bytes
    document: bytes | None
    absent: bool


def encode_record(record: Record) -> Encoded:
    """The bytes of the record's context and state."""
    if not record.context:
        return b"", b""
    actors = record.context.actors()
    return CONTEXT_VERSION + pack(_pack_context(record.context, actors)), STATE_VERSION + pack(
        _pack_state(record, actors)
    )


def decode_record(context: bytes, state: bytes) -> Record:
    """Inverse of :func:`encode_record`.

    Raises :class:`CorruptFrame` for bytes that no record encodes to, as far as that is cheap to see; never anything
    else, and in memory bounded by the size of the input.
    """
    if not context and not state:
        return Record.empty()
    try:
        if context[:1] != CONTEXT_VERSION or state[:1] != STATE_VERSION:
            raise ValueError(f"unknown version {context[:1]!r} of the context or {state[:1]!r} of the state")
        seen, actors = _unpack_context(unpack(context[1:]))
        return _unpack_state(unpack(state[1:]), seen, actors)
    except UNPACK_ERRORS as error:
        sizes = f"a record of {len(context)} context and {len(state)} state bytes"
        raise CorruptFrame(f"{sizes} does not decode: {error}") from error


def merge_bytes(mine: Encoded, *others: Encoded) -> Merged:
    """Join encoded records; where one includes all others, its bytes are the answer unchanged.

    Several states of one record are best given oldest first: they are joined from the last, and what is included in
    what was joined already is known by its context and not decoded.
    """
    joined = decode_record(*mine)
    encoded: Encoded | None = mine
    for other in reversed(others):
        if joined.context.includes(decode_context(other[0])):
            continue
        right = decode_record(*other)
        joined = joined.join(right)
        encoded = other if joined is right else None
    context, state = encoded or encode_record(joined)
    document = joined.document()
    return Merged(context, state, document, document is None)


def decode_context(context: bytes) -> Context:
    """The context of an encoded record alone; raises :class:`CorruptFrame` as :func:`decode_record` does."""
    if not context:
        return Context.EMPTY
    try:
        if context[:1] != CONTEXT_VERSION:
            raise ValueError(f"unknown version {context[:1]!r}")
        return _unpack_context(unpack(context[1:]))[0]
    except UNPACK_ERRORS as error:
        raise CorruptFrame(f"a context of {len(context)} bytes does not decode: {error}") from error


# -- the context --------------------------------------------------------------------------------------------------


def _pack_context(context: Context, actors: tuple[Actor, ...]) -> list[Any]:
    if context.is_contiguous:
        return [part for actor in actors for part in (actor, context.get(actor))]
    packed: list[Any] = []
    for actor in actors:
        parts = context.intervals(actor)
        whole = len(parts) == 1 and parts[0][0] == 0
        packed += (actor, parts[0][1] if whole else [end for part in parts for end in part])
    return packed


def _unpack_context(packed: Any) -> tuple[Context, list[Actor]]:
    if type(packed) is not list or not packed:
        raise ValueError("a context is not a list of actors")
    actors: list[Actor] = packed[::2]
    seen = packed[1::2]
    anchored: dict[Actor, int] = {}
    detached: dict[Actor, Intervals] = {}
    previous = Actor("")
    for actor, part in zip(actors, seen, strict=True):
        if type(actor) is not str or actor <= previous:
            raise ValueError("the actors of a context are not in order")
        previous = actor
        if type(part) is int and 0 < part <= INTEGER_MAX:
            anchored[actor] = part
        else:
            _unpack_intervals(actor, part, anchored, detached)
    return (Context(anchored, detached) if detached else Context(anchored)), actors


def _unpack_intervals(actor: Actor, ends: Any, anchored: dict[Actor, int], detached: dict[Actor, Intervals]) -> None:
    if type(ends) is not list or not ends or any(type(end) is not int or not 0 <= end <= INTEGER_MAX for end in ends):
        raise ValueError("the intervals of a context are malformed")
    if any(low >= high for low, high in itertools.pairwise(ends)) or (len(ends) == 2 and not ends[0]):
        raise ValueError("the intervals of a context are not canonical")
    parts = tuple(zip(ends[::2], ends[1::2], strict=True))
    if ends[0] == 0:
        anchored[actor], parts = parts[0][1], parts[1:]
    detached[actor] = parts


# -- the state ----------------------------------------------------------------------------------------------------


def _pack_state(record: Record, actors: tuple[Actor, ...]) -> list[Any]:
    index = {actor: position for position, actor in enumerate(actors)}
    if not record.removed:
        try:
            return [_pack_presence(record.presence, index), _pack_fields(record, index)]
        except KeyError:
            pass  # a counter's delta that resets actors which its own context does not name
    strangers = sorted(_actors_of(record) - index.keys())
    for actor in strangers:
        index[actor] = len(index)
    removed = [part for name in sorted(record.removed) for part in (name, _pack_removed(record.removed[name], index))]
    return [_pack_presence(record.presence, index), _pack_fields(record, index), removed, strangers]


def _pack_presence(presence: Entries, index: dict[Actor, int]) -> list[int]:
    return [part for actor, counter in presence for part in (index[actor], counter)]


def _pack_fields(record: Record, index: dict[Actor, int]) -> list[Any]:
    packed: list[Any] = []
    fields = record.fields
    for name in sorted(fields):
        code, payload = fields[name]
        packed += (name, code, RULE_OF_CODE[code].pack(payload, index))
    return packed


def _pack_removed(removed: Removed, index: dict[Actor, int]) -> list[Any]:
    return [
        part for key, actor, counter in sorted(removed, key=_removal_order) for part in (key, index[actor], counter)
    ]


def _removal_order(removal: tuple[Any, Actor, int]) -> tuple[Any, ...]:
    key, actor, counter = removal
    return (-1, actor, counter) if key is None else (ELEMENT_RANK[type(key)], key, actor, counter)


def _actors_of(record: Record) -> set[Actor]:
    named = {entry[0] for entry in record.presence}
    for code, payload in record.fields.values():
        named |= RULE_OF_CODE[code].actors(payload)
    return named.union(*({actor for _, actor, _ in removed} for removed in record.removed.values()))


def _unpack_state(packed: Any, context: Context, known: list[Actor]) -> Record:
    if type(packed) is not list or len(packed) not in (2, 4):
        raise ValueError("a state is not a list of two or four parts")
    actors = dict(enumerate(known))
    removed: dict[str, Removed] = {}
    if len(packed) == 4:
        _unpack_strangers(packed[3], actors)
        removed = _unpack_removals(packed[2], actors)
    presence = _unpack_presence(packed[0], actors)
    fields = _unpack_fields(packed[1], actors)
    return Record(fields, presence, context, removed) if removed else Record(fields, presence, context)


def _unpack_strangers(strangers: Any, actors: dict[int, Actor]) -> None:
    known = set(actors.values())
    if type(strangers) is not list or any(type(actor) is not str or actor in known for actor in strangers):
        raise ValueError("the strangers of a delta are malformed")
    if any(left >= right for left, right in itertools.pairwise(strangers)):
        raise ValueError("the strangers of a delta are not in order")
    for actor in strangers:
        actors[len(actors)] = actor


def _unpack_presence(packed: Any, actors: dict[int, Actor]) -> Entries:
    if type(packed) is list and len(packed) == 2:  # nearly every record: no concurrent writes
        return ((actors[packed[0]], _counter(packed[1])),)
    dots = tuple((actors[position], _counter(counter)) for position, counter in _groups(packed, 2))
    if any(left >= right for left, right in itertools.pairwise(dots)):
        raise ValueError("the presence is not in order")
    return dots


def _unpack_fields(packed: Any, actors: dict[int, Actor]) -> dict[str, FieldState]:
    fields: dict[str, FieldState] = {}
    previous = ""
    for name, code, body in _groups(packed, 3):
        if name <= previous or "\0" in name or type(body) is not list:
            raise ValueError("the fields of a state are not in order")
        previous = name
        fields[name] = (code, RULE_OF_CODE[code].unpack(body, actors))
    return fields


def _unpack_removals(packed: Any, actors: dict[int, Actor]) -> dict[str, Removed]:
    removed: dict[str, Removed] = {}
    for name, body in _groups(packed, 2):
        if type(name) is not str:
            raise ValueError("a removal names no field")
        gone = [
            (_removal_key(key), actors[position], _counter(counter)) for key, position, counter in _groups(body, 3)
        ]
        if not gone or gone != sorted(set(gone), key=_removal_order):
            raise ValueError("the removals of a delta are not in order")
        removed[name] = frozenset(gone)
    if list(removed) != sorted(removed) or 2 * len(removed) != len(packed):
        raise ValueError("the removals of a delta are not in order")
    return removed


def _removal_key(key: Any) -> Any:
    if key is None or (type(key) in ELEMENT_RANK and is_stored_form(key)):
        return key
    raise ValueError("a removal names something that is not an element")


def _counter(counter: Any) -> int:
    if type(counter) is int and 0 < counter <= INTEGER_MAX:
        return counter
    raise ValueError("a dot is out of bounds")


def _groups(flat: Any, size: int) -> zip[tuple[Any, ...]]:
    if type(flat) is not list:
        raise ValueError("a part of a state is not a list")
    return zip(*[iter(flat)] * size, strict=True)
