"""``field=value`` on the command line: JSON where it reads as JSON, plain text everywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from atoll.errors import InvalidValue


def parse_assignments(arguments: Sequence[str]) -> dict[str, Any]:
    """``["name=Köln", "population=1073096"]`` → ``{"name": "Köln", "population": 1073096}``.

    Raises :class:`InvalidValue` for an argument without ``=`` or a field that is given twice.
    """
    fields: dict[str, Any] = {}
    for argument in arguments:
        name, value = split_assignment(argument)
        if name in fields:
            raise InvalidValue(f"field {name!r} is given twice")
        fields[name] = parse_value(value)
    return fields


def split_assignment(argument: str) -> tuple[str, str]:
    """``name=value`` → its two sides, the value untouched."""
    name, sign, value = argument.partition("=")
    if not sign or not name:
        raise InvalidValue(f"{argument!r} is not FIELD=VALUE; for example: population=1073096 or 'motto=Et hätt …'")
    return name, value


def parse_value(text: str) -> Any:
    """Numbers, ``true``, ``false``, ``null``, quoted strings, lists and objects as in JSON; anything else is text."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def parse_object(text: str) -> dict[str, Any]:
    """A whole record as a JSON object."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidValue(f"--value is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidValue('--value must be a JSON object of fields, such as {"name": "Köln"}')
    return value


def parse_amount(text: str) -> int | Decimal:
    """What a counter can be incremented by: a whole number, or an exact decimal."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite():
        raise InvalidValue(f"{text!r} is not a number a counter can count")
    return amount
