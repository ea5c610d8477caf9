"""From a write to the operations of each field, with the rule that will judge them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, assert_never

from atoll.crdt.operations import Add, Clear, Delete, FieldOperation, Increment, Put, Remove, Update, Write
from atoll.crdt.registry import LWW, RULE_OF_CODE, RULES
from atoll.crdt.rule import MergeRule
from atoll.crdt.schema import Schema
from atoll.errors import InvalidName, InvalidValue, UnknownField, ValueTooLarge, WrongRule
from atoll.limits import FIELD_NAME_BYTES_MAX, FIELDS_MAX

Stored = Mapping[str, tuple[int, Any]]
"""The fields a record has: name to wire code of the rule and payload."""

Step = tuple[str, MergeRule[Any], Sequence[FieldOperation]]
"""A field, its rule, and what to do with it, in order."""

_MERGES = (Increment, Add, Remove)


def plan_write(write: Write, stored: Stored, schema: Schema) -> Iterable[Step]:
    """Each field that the write touches, once.

    Raises :class:`UnknownField`, :class:`WrongRule`, :class:`InvalidValue` or :class:`InvalidName`.
    """
    match write:
        case Update(operations=operations):
            return _update(operations, stored, schema)
        case Put(fields=fields):
            return _put(fields, stored, schema)
        case Delete():
            return _clear(stored, ())
        case _:
            assert_never(write)


def _update(operations: Sequence[FieldOperation], stored: Stored, schema: Schema) -> list[Step]:
    if len(operations) == 1:
        operation = operations[0]
        return [(operation.field, _rule_of(operation, stored, schema), operations)]
    steps: dict[str, tuple[str, MergeRule[Any], list[FieldOperation]]] = {}
    for operation in operations:
        rule = _rule_of(operation, stored, schema)
        steps.setdefault(operation.field, (operation.field, rule, []))[2].append(operation)
    return list(steps.values())


def _put(fields: Mapping[str, Any], stored: Stored, schema: Schema) -> Iterator[Step]:
    if not isinstance(fields, Mapping):
        raise InvalidValue(f"a put takes a mapping of field names to values, not {type(fields).__name__}")
    if len(fields) > FIELDS_MAX:
        raise ValueTooLarge(f"a record of {len(fields)} fields, more than the {FIELDS_MAX} allowed")
    for field, value in fields.items():
        rule = _rule(field, stored, schema)
        yield field, rule, rule.replacement(field, value)
    yield from _clear(stored, fields)


def _clear(stored: Stored, kept: Iterable[str]) -> Iterator[Step]:
    for field, (code, _) in stored.items():
        if field not in kept:
            yield field, RULE_OF_CODE[code], (Clear(field),)


def _rule_of(operation: FieldOperation, stored: Stored, schema: Schema) -> MergeRule[Any]:
    field = operation.field
    if isinstance(operation, _MERGES) and field not in schema.fields:
        kind = type(operation).__name__
        raise UnknownField(f"{kind} needs a declared field and {field!r} is not: declare its merge rule")
    if isinstance(operation, Clear) and field in stored:
        return RULE_OF_CODE[stored[field][0]]
    return _rule(field, stored, schema)


def _rule(field: str, stored: Stored, schema: Schema) -> MergeRule[Any]:
    """The declared rule of a field, ``lww`` if it is not declared; never another than the one it is stored under."""
    declared = schema.fields.get(field)
    if declared is None:
        if schema.strict:
            known = ", ".join(sorted(schema.fields)) or "none"
            raise UnknownField(f"the field {field!r} is not declared and the collection is strict; declared: {known}")
        _check_field_name(field)
    rule = RULES[declared] if declared else LWW
    state = stored.get(field)
    if state and state[0] != rule.code:
        raise WrongRule(
            f"the field {field!r} is declared {rule.name} but stored as {RULE_OF_CODE[state[0]].name}; "
            "the rule of a field never changes: use another field name"
        )
    return rule


def _check_field_name(field: Any) -> None:
    if type(field) is not str or not field:
        raise InvalidName(f"the field name {field!r} is not allowed: use text that is not empty")
    try:
        size_bytes = len(field.encode())
    except UnicodeEncodeError:
        raise InvalidName(f"the field name {field!r} is not allowed: it is not Unicode") from None
    if size_bytes > FIELD_NAME_BYTES_MAX or "\0" in field:
        raise InvalidName(
            f"the field name {field[:40]!r} is not allowed: use at most {FIELD_NAME_BYTES_MAX} bytes without NUL"
        )
