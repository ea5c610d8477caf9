"""Values a field may hold, and their one canonical form.

========================  =============================================  ==========================
type                      msgpack form                                   in the JSON document
========================  =============================================  ==========================
``None``, ``bool``        nil, boolean                                   the same
``int`` (signed 64-bit)   shortest integer                               number
``float`` (finite)        float64, ``-0.0`` as ``0.0``                   number
``str``                   str                                            string
``bytes``                 bin                                            base64 string
``list``                  array                                          array
``dict`` with str keys    map, keys in the order of their UTF-8 bytes    object
``datetime`` (aware)      ext 1: int64 microseconds since 1970 UTC       ISO 8601 string, UTC
``date``                  ext 2: int32 days since 1970-01-01             ISO 8601 string
``UUID``                  ext 3: 16 bytes                                string
``Decimal`` (finite)      ext 4: ``str()``, exponent kept                string
========================  =============================================  ==========================

Two more forms cross the wire as results or arguments of merge rules but are never part of a plain value: ext 5, an
integer beyond 64 bits (the total of a counter; a string in JSON), and ext 6, a ``frozenset`` of elements (an
``add_wins_set``; a sorted array in JSON). Ext codes are frozen.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from atoll.crdt.packing import ELEMENT_RANK, UNPACK_ERRORS, is_stored_form, pack, sorted_elements, unpack
from atoll.errors import CorruptFrame, InvalidValue
from atoll.limits import COUNTER_DIGITS_MAX, DECIMAL_EXPONENT_MAX, INTEGER_MAX, INTEGER_MIN, VALUE_DEPTH_MAX

# -- what callers may send ----------------------------------------------------------------------------------------


def check_value(value: Any, path: str, depth: int = 0) -> Any:
    """Return the canonical form of ``value`` or raise :class:`InvalidValue` naming the ``path`` to the culprit.

    Containers are copied, map keys sorted, datetimes moved to UTC. Checking twice changes nothing.
    """
    kind = type(value)
    if kind is str:
        return check_text(value, path)
    if kind is int:
        return _check_integer(value, path)
    if value is None or kind is bool or kind is bytes:
        return value
    if kind is float:
        return _check_float(value, path)
    if kind is list or kind is dict:
        return _check_container(value, path, depth)
    return _check_extended(value, path)


def check_text(text: str, path: str) -> str:
    """Return ``text`` if Postgres and UTF-8 can hold it; raise :class:`InvalidValue` otherwise."""
    if "\0" in text:
        raise InvalidValue(f"{path}: text with a NUL character cannot be stored; use bytes")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidValue(f"{path}: text with a lone surrogate is not Unicode and cannot be stored") from None
    return text


def check_decimal(value: Decimal, path: str) -> Decimal:
    """Return a finite, bounded Decimal without negative zero; raise :class:`InvalidValue` otherwise."""
    if not value.is_finite():
        raise InvalidValue(f"{path}: {value} is not a number that can be compared; use None for 'no value'")
    if not value:
        value = value.copy_abs()
    _, digits, exponent = value.as_tuple()
    if len(digits) > COUNTER_DIGITS_MAX:
        raise InvalidValue(f"{path}: a Decimal of {len(digits)} digits, more than the {COUNTER_DIGITS_MAX} allowed")
    if abs(cast(int, exponent)) > DECIMAL_EXPONENT_MAX:
        raise InvalidValue(f"{path}: Decimal exponent {exponent} is outside ±{DECIMAL_EXPONENT_MAX}")
    return value


def check_keys(mapping: Mapping[Any, Any], path: str) -> None:
    """Raise :class:`InvalidValue` unless every key is text that can be stored."""
    for key in mapping:
        if type(key) is not str:
            raise InvalidValue(f"{path}: the key {key!r} is {type(key).__name__}; keys of a map are str")
        check_text(key, f"{path} (a key)")


def check_element(value: Any, path: str) -> Any:
    """:func:`check_value` for the element of a set: text, bytes, integer, UUID, date or aware datetime."""
    if type(value) in ELEMENT_RANK or isinstance(value, UUID):
        return check_value(value, path)
    raise InvalidValue(
        f"{path}: a set element is str, bytes, int, UUID, date or aware datetime, not {type(value).__name__}"
    )


def _check_integer(value: int, path: str) -> int:
    if INTEGER_MIN <= value <= INTEGER_MAX:
        return value
    raise InvalidValue(f"{path}: an integer of {value.bit_length()} bits does not fit 64 bits; use Decimal or text")


def _check_float(value: float, path: str) -> float:
    if math.isfinite(value):
        return value + 0.0  # -0.0 + 0.0 is 0.0
    raise InvalidValue(f"{path}: {value} cannot be compared or stored as JSON; use None for 'no value'")


def _check_container(value: list[Any] | dict[Any, Any], path: str, depth: int) -> Any:
    if depth >= VALUE_DEPTH_MAX:
        raise InvalidValue(f"{path}: lists and maps nest deeper than {VALUE_DEPTH_MAX} levels")
    if isinstance(value, list):
        return [check_value(item, f"{path}[{position}]", depth + 1) for position, item in enumerate(value)]
    check_keys(value, path)
    return {key: check_value(value[key], f"{path}.{key}", depth + 1) for key in sorted(value)}


def _check_extended(value: Any, path: str) -> Any:
    kind = type(value)
    if kind is datetime:
        return _check_datetime(value, path)
    if kind is date:
        return value
    if kind is Decimal:
        return check_decimal(value, path)
    if isinstance(value, UUID):
        return value if kind is UUID else UUID(int=value.int)
    if kind is set or kind is frozenset:
        raise InvalidValue(f"{path}: a set belongs in a field declared add_wins_set; else use a list")
    raise InvalidValue(
        f"{path}: {kind.__module__}.{kind.__qualname__} is not a type of value; use None, bool, int, float, str, "
        "bytes, list, dict, datetime, date, UUID or Decimal"
    )


def _check_datetime(value: datetime, path: str) -> datetime:
    if value.utcoffset() is None:
        raise InvalidValue(f"{path}: the datetime {value.isoformat()} has no time zone; give it one, such as UTC")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidValue(f"{path}: the datetime {value.isoformat()} is outside the years 1 to 9999 UTC") from None


# -- bytes --------------------------------------------------------------------------------------------------------


def pack_value(value: Any) -> bytes:
    """The canonical bytes of a value: equal content, equal bytes.

    Takes what :func:`check_value` takes, and what merge rules take and return besides: a set or a big integer, by
    itself or as a field in a map of fields. Raises :class:`InvalidValue`.
    """
    if type(value) is dict:
        check_keys(value, "value")
        return pack({name: _check_argument(value[name], f"value.{name}") for name in sorted(value)})
    return pack(_check_argument(value, "value"))


def unpack_value(data: bytes) -> Any:
    """Inverse of :func:`pack_value`; raises :class:`CorruptFrame` for anything that no value packs to."""
    try:
        value = unpack(data)
        parts = value.values() if type(value) is dict else (value,)
        if all(type(part) in (frozenset, int) or is_stored_form(part) for part in parts):
            return value
    except UNPACK_ERRORS as error:
        raise CorruptFrame(f"a value of {len(data)} bytes does not decode: {error}") from error
    raise CorruptFrame(f"a value of {len(data)} bytes is not canonical or nests too deep")


def _check_argument(value: Any, path: str) -> Any:
    kind = type(value)
    if kind is set or kind is frozenset:
        return frozenset(check_element(element, f"{path} (an element)") for element in value)
    if kind is int and abs(value) < 10 ** (2 * COUNTER_DIGITS_MAX):
        return value
    if kind is Decimal and value.is_finite() and len(value.as_tuple().digits) > COUNTER_DIGITS_MAX:
        return value  # the total of a counter may need more digits than any amount may have
    return check_value(value, path)


# -- JSON ---------------------------------------------------------------------------------------------------------


def value_to_json(value: Any) -> Any:
    """The readable form of the ``jsonb`` document, as the table above says; one way only."""
    kind = type(value)
    if kind is dict:
        return {key: value_to_json(item) for key, item in value.items()}
    if kind is list:
        return [value_to_json(item) for item in value]
    if kind is int and not INTEGER_MIN <= value <= INTEGER_MAX:
        return str(value)
    if kind is datetime or kind is date:
        return value.isoformat()
    if kind is UUID:
        return str(value)
    if kind is Decimal or kind is bytes or kind is frozenset:
        return json_default(value)
    return value


def json_default(value: Any) -> Any:
    """What the JSON encoder does not know by itself: Decimal, bytes and sets."""
    kind = type(value)
    if kind is Decimal:
        return str(value)
    if kind is bytes:
        return b64encode(value).decode()
    if kind is frozenset:
        return [value_to_json(element) for element in sorted_elements(value)]
    raise TypeError(f"{kind.__qualname__} is not a type of value")
