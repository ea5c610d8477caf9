"""Writes and states that are refused, each with a message that says what and where."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.crdt.records import EMPTY, EU, SCHEMA, STRICT, US, updated, value_after, wrote

from atoll.causality.dot import Dot
from atoll.crdt.codec import encode_record
from atoll.crdt.operations import Add, Clear, Delete, FieldOperation, Increment, Put, Remove, Set, Update, Write
from atoll.crdt.schema import Schema
from atoll.errors import CorruptFrame, InvalidName, InvalidValue, UnknownField, ValueTooLarge, WrongRule
from atoll.instant import timestamp
from atoll.limits import FIELD_NAME_BYTES_MAX, FIELDS_MAX

WRONG_RULE = [
    (Set("visits", 1), "'visits' follows the rule counter, which cannot be assigned: increment it"),
    (Add("visits", (1,)), "field 'visits' follows the rule counter, which has no elements to add"),
    (Increment("tags", 1), "field 'tags' follows the rule add_wins_set, which cannot be incremented: add or remove"),
    (Set("tags", 1), "cannot be assigned"),
    (Increment("name", 1), "'name' follows the rule lww, which cannot be incremented: assign a value, or clear it"),
    (Add("name", ("x",)), "has no elements to add"),
    (Remove("name", ("x",)), "has no elements to remove"),
    (Increment("visits", 1.5), "an amount is int or Decimal, not float"),
    (Increment("visits", True), "an amount is int or Decimal, not bool"),
    (Increment("visits", "1"), "not str"),
    (Add("tags", "xyz"), "elements are given as a tuple, not str"),
]


@pytest.mark.parametrize(("operation", "message"), WRONG_RULE, ids=[repr(operation) for operation, _ in WRONG_RULE])
def test_operation_that_the_rule_does_not_have_is_refused(operation: FieldOperation, message: str) -> None:
    with pytest.raises(WrongRule, match=message):
        value_after(operation)


@pytest.mark.parametrize(("field", "value"), [("visits", 1.5), ("visits", {"x"}), ("tags", "x"), ("tags", 1)])
def test_put_of_a_value_that_does_not_fit_the_rule_is_refused(field: str, value: object) -> None:
    with pytest.raises(WrongRule, match=field):
        wrote(EMPTY, EU, 1, Put({field: value}))


INVALID = [
    (Set("name", math.nan), r"fields\.name: nan"),
    (Set("address", [{}, {}, {"lat": math.inf}]), r"fields\.address\[2\]\.lat: inf"),
    (Increment("visits", 2**63), "does not fit 64 bits"),
    (Increment("visits", Decimal("NaN")), "fields.visits: NaN"),
    (Add("tags", (1.5,)), "fields.tags .an element.: a set element is .* not float"),
    (Add("tags", (True,)), "not bool"),
    (Add("tags", (None,)), "not NoneType"),
    (Add("tags", (("a",),)), "not tuple"),
    (Add("tags", ("a\0",)), "NUL"),
    (Add("tags", (2**64,)), "does not fit"),
]


@pytest.mark.parametrize(("operation", "message"), INVALID, ids=[repr(operation)[:60] for operation, _ in INVALID])
def test_value_that_cannot_be_kept_is_refused_with_its_path(operation: FieldOperation, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        value_after(operation)


def test_set_in_an_undeclared_field_is_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidValue, match="declared add_wins_set"):
        wrote(EMPTY, EU, 1, Put({"labels": {"x"}}))


def test_put_of_something_else_than_a_mapping_is_refused() -> None:
    with pytest.raises(InvalidValue, match="a mapping of field names"):
        wrote(EMPTY, EU, 1, Put([("a", 1)]))  # type: ignore[arg-type]


@pytest.mark.parametrize("operation", [Increment("other"), Add("other", ("x",)), Remove("other", ("x",))], ids=repr)
def test_merge_operation_on_an_undeclared_field_is_refused(operation: FieldOperation) -> None:
    with pytest.raises(UnknownField, match="needs a declared field and 'other' is not"):
        value_after(operation)


@pytest.mark.parametrize(
    "write", [Put({"other": 1}), Update((Set("other", 1),)), Update((Clear("other"),))], ids=repr
)
def test_undeclared_field_of_a_strict_collection_is_refused(write: Write) -> None:
    with pytest.raises(UnknownField, match="the collection is strict; declared: name, tags, visits"):
        wrote(EMPTY, EU, 1, write, schema=STRICT)


def test_field_that_is_no_longer_declared_can_still_be_cleared_and_put_away() -> None:
    record = wrote(EMPTY, EU, 1, Put({"old": 1, "name": "a"}))
    assert wrote(record, EU, 2, Update((Clear("old"),)), schema=STRICT).value() == {"name": "a"}
    assert wrote(record, EU, 2, Put({"name": "b"}), schema=STRICT).value() == {"name": "b"}


@pytest.mark.parametrize("name", ["", "a\0", "\ud800", "x" * (FIELD_NAME_BYTES_MAX + 1), 7])
def test_illegal_field_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidName, match="the field name"):
        wrote(EMPTY, EU, 1, Put({name: 1}))


def test_record_with_too_many_fields_is_refused_by_put_and_by_update() -> None:
    with pytest.raises(ValueTooLarge, match="1025 fields, more than the 1024"):
        wrote(EMPTY, EU, 1, Put(dict.fromkeys(map(str, range(FIELDS_MAX + 1)), 1)))
    full = wrote(EMPTY, EU, 1, Put(dict.fromkeys(map(str, range(FIELDS_MAX)), 1)))
    assert updated(full, EU, 2, Set("7", 2)).value() is not None
    with pytest.raises(ValueTooLarge, match="1025 fields"):
        updated(full, EU, 2, Set("one more", 1))


def test_record_that_concurrency_took_beyond_the_field_limit_can_still_be_changed() -> None:
    names = [str(number) for number in range(FIELDS_MAX)]
    left = wrote(EMPTY, EU, 1, Put(dict.fromkeys(names, 1)))
    both = left.join(wrote(EMPTY, US, 1, Put({"one more": 1})))
    assert updated(both, EU, 2, Set("7", 2), Clear("8")).value() is not None
    assert wrote(both, EU, 2, Put(dict.fromkeys((f"new {name}" for name in names), 1))).value() is not None
    for write in (Delete(), Put({"a": 1})):
        after = both.apply_and_join(write, Dot(EU, 2), timestamp(2), SCHEMA)
        assert len(after.fields) <= 1


def test_field_whose_declared_rule_was_changed_is_refused() -> None:
    record = wrote(EMPTY, EU, 1, Put({"visits": 1}), schema=Schema())
    with pytest.raises(WrongRule, match="declared counter but stored as lww"):
        updated(record, EU, 2, Increment("visits", 1))


def test_states_that_hold_one_field_under_two_rules_do_not_join() -> None:
    counter = updated(EMPTY, EU, 1, Increment("visits", 1))
    register = wrote(EMPTY, US, 1, Put({"visits": 1}), schema=Schema())
    with pytest.raises(CorruptFrame, match="follows rule counter on one side and lww on the other"):
        counter.join(register)


def test_dot_that_is_not_fresh_is_a_broken_invariant() -> None:
    record = updated(EMPTY, EU, 5, Set("name", 1))
    with pytest.raises(AssertionError, match=r"\(I2\)"):
        record.apply(Update(), Dot(EU, 5), timestamp(1), SCHEMA)


def test_refused_write_leaves_the_record_as_it_was() -> None:
    record = wrote(EMPTY, EU, 1, Put({"name": "a", "visits": 1}))
    before = encode_record(record)
    with pytest.raises(WrongRule):
        updated(record, EU, 2, Set("name", "b"), Set("visits", 2))
    assert encode_record(record) == before
