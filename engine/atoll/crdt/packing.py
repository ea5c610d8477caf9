"""Canonical msgpack: one byte form for each content, and a decoder that hostile bytes cannot hurt.

The types and their ext codes are those of the table in :mod:`atoll.crdt.value`. The encoder writes shortest integers,
float64, and maps in the order they are given (which the checks have made sorted). The decoder refuses what it can
refuse cheaply: unsorted or repeated map keys, foreign ext codes, extended values that are not in their one form.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, cast
from uuid import UUID

import msgpack

from atoll.errors import InvalidValue
from atoll.limits import COUNTER_DIGITS_MAX, DECIMAL_EXPONENT_MAX, INTEGER_MAX, INTEGER_MIN, VALUE_DEPTH_MAX

EXT_DATETIME: Final = 1
EXT_DATE: Final = 2
EXT_UUID: Final = 3
EXT_DECIMAL: Final = 4
EXT_BIG_INTEGER: Final = 5
EXT_SET: Final = 6

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)

_BIG_INTEGER_BYTES_MAX: Final = 32
_DECIMAL_TEXT_MAX: Final = 2 * DECIMAL_EXPONENT_MAX + 2 * COUNTER_DIGITS_MAX
_TRUSTED_BYTES_MAX: Final = 512
"""Below this a lying array header cannot make the decoder reserve much before it notices that the bytes end."""

UNPACK_ERRORS: Final = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    ArithmeticError,
    msgpack.UnpackException,
)
"""Everything that decoding hostile bytes can raise underneath; edges turn it into :class:`CorruptFrame`."""


def pack(structure: Any) -> bytes:
    """Canonical msgpack of plain structures and values."""
    return cast(bytes, msgpack.packb(structure, default=_pack_extended))


def unpack(data: bytes) -> Any:
    """Decode msgpack with our ext codes; raises one of ``UNPACK_ERRORS``. Memory is bounded by ``len(data)``."""
    if len(data) > _TRUSTED_BYTES_MAX:
        _check_complete(data)
    return _unpackb(data)


def _check_complete(data: bytes) -> None:
    """Walk the structure without building it: a header that promises more than there is ends here, unallocated."""
    scanner = msgpack.Unpacker(read_size=1, max_buffer_size=len(data))
    scanner.feed(data)
    scanner.skip()


def _pack_extended(value: Any) -> msgpack.ExtType:
    kind = type(value)
    if kind is datetime:
        return msgpack.ExtType(EXT_DATETIME, ((value - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True))
    if kind is date:
        return msgpack.ExtType(EXT_DATE, (value.toordinal() - _EPOCH_DAY).to_bytes(4, "big", signed=True))
    if kind is UUID:
        return msgpack.ExtType(EXT_UUID, value.bytes)
    if kind is Decimal:
        return msgpack.ExtType(EXT_DECIMAL, str(value).encode())
    if kind is int:
        return msgpack.ExtType(EXT_BIG_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))
    if kind is frozenset:
        return msgpack.ExtType(EXT_SET, pack(sorted_elements(value)))
    raise InvalidValue(f"{kind.__qualname__} is not a type of value")


def _unpack_extended(code: int, data: bytes) -> Any:
    if code == EXT_DATETIME and len(data) == 8:
        return _EPOCH + timedelta(microseconds=int.from_bytes(data, "big", signed=True))
    if code == EXT_DATE and len(data) == 4:
        return date.fromordinal(int.from_bytes(data, "big", signed=True) + _EPOCH_DAY)
    if code == EXT_UUID and len(data) == 16:
        return UUID(bytes=data)
    if code == EXT_DECIMAL and len(data) <= _DECIMAL_TEXT_MAX:
        return _unpack_decimal(data.decode("ascii"))
    if code == EXT_BIG_INTEGER and len(data) <= _BIG_INTEGER_BYTES_MAX:
        return _unpack_big_integer(data)
    if code == EXT_SET:
        return _unpack_set(data)
    raise ValueError(f"ext code {code} with {len(data)} bytes is not one of ours")


def _unpack_decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite() or str(value) != text or (not value and value.is_signed()):
        raise ValueError(f"Decimal {text!r} is not canonical")
    if abs(cast(int, value.as_tuple().exponent)) > DECIMAL_EXPONENT_MAX:
        raise ValueError(f"Decimal {text!r} has an exponent out of bounds")
    return value


def _unpack_big_integer(data: bytes) -> int:
    value = int.from_bytes(data, "big", signed=True)
    if INTEGER_MIN <= value < 1 << 64 or len(data) != value.bit_length() // 8 + 1:
        raise ValueError("an integer beyond 64 bits is not in its shortest form")
    return value


def _unpack_set(data: bytes) -> frozenset[Any]:
    elements = msgpack.unpackb(data, ext_hook=_unpack_element)
    if type(elements) is not list or not all(type(e) in ELEMENT_RANK and is_stored_form(e) for e in elements):
        raise ValueError("a set holds something that is not an element")
    unique = frozenset(elements)
    if sorted_elements(unique) != elements:
        raise ValueError("a set is not in canonical order")
    return unique


def _unpack_element(code: int, data: bytes) -> Any:
    if code == EXT_SET:
        raise ValueError("a set holds a set")
    return _unpack_extended(code, data)


def _unpack_map(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    listed = list(pairs)
    entries = dict(listed)
    keys = list(entries)
    if any(type(key) is not str or "\0" in key for key in keys) or keys != sorted(keys):
        raise ValueError("the keys of a map are not in canonical order")
    if len(entries) != len(listed):
        raise ValueError("a map repeats a key")
    return entries


_unpackb = partial(msgpack.unpackb, ext_hook=_unpack_extended, object_pairs_hook=_unpack_map)


def is_stored_form(value: Any, depth: int = 0) -> bool:
    """Whether a decoded value is one that :func:`check_value` could have returned."""
    kind = type(value)
    if kind is str:
        return "\0" not in value
    if kind is int:
        return bool(INTEGER_MIN <= value <= INTEGER_MAX)
    if kind is float:
        return math.isfinite(value) and (bool(value) or math.copysign(1.0, value) > 0)
    if kind is list:
        return depth < VALUE_DEPTH_MAX and all(is_stored_form(item, depth + 1) for item in value)
    if kind is dict:
        return depth < VALUE_DEPTH_MAX and all(is_stored_form(item, depth + 1) for item in value.values())
    return value is None or kind in _STORED_SCALARS


_STORED_SCALARS: Final = frozenset((bool, bytes, datetime, date, UUID, Decimal))


ELEMENT_RANK: Final[dict[type, int]] = {int: 0, str: 1, bytes: 2, datetime: 3, date: 4, UUID: 5}


def sorted_elements(elements: Collection[Any]) -> list[Any]:
    """Elements in canonical order: by type (int, str, bytes, datetime, date, UUID), then by value."""
    try:
        return sorted(elements)
    except TypeError:  # more than one type: values of different types do not compare
        return sorted(elements, key=lambda element: (ELEMENT_RANK[type(element)], element))
