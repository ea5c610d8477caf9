"""Records by example: what each operation does, and what concurrency does."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from tests.unit.crdt.records import EMPTY, EU, SCHEMA, US, updated, value_after, wrote

from atoll.causality.dot import Dot
from atoll.crdt.codec import encode_record
from atoll.crdt.operations import Add, Clear, Delete, FieldOperation, Increment, Put, Remove, Set, Update
from atoll.crdt.value import pack_value, unpack_value
from atoll.errors import InvalidValue
from atoll.instant import timestamp

# -- presence -----------------------------------------------------------------------------------------------------


def test_never_written_record_is_absent() -> None:
    assert EMPTY.value() is None
    assert EMPTY.document() is None
    assert not EMPTY.context
    assert EMPTY.latest() == 0


def test_put_without_fields_makes_a_record_that_exists() -> None:
    record = wrote(EMPTY, EU, 1, Put({}))
    assert record.value() == {}
    assert record.document() == b"{}"


@pytest.mark.parametrize("operation", [Remove("tags", ("x",)), Increment("visits", 0), Clear("name")], ids=repr)
def test_update_makes_the_record_exist_whatever_it_does(operation: FieldOperation) -> None:
    assert updated(EMPTY, EU, 1, operation).value() is not None


def test_update_without_operations_makes_the_record_exist() -> None:
    assert wrote(EMPTY, EU, 1, Update()).value() == {}


def test_delete_leaves_a_tombstone_with_its_context() -> None:
    record = wrote(wrote(EMPTY, EU, 3, Put({"name": "a", "visits": 2, "tags": {"x"}})), EU, 9, Delete())
    assert record.value() is None
    assert record.document() is None
    assert record.context.get(EU) == 9


def test_delete_of_an_absent_record_is_a_write_like_any_other() -> None:
    record = wrote(EMPTY, EU, 1, Delete())
    assert record.value() is None
    assert record.context.get(EU) == 1


def test_update_concurrent_with_a_delete_survives_with_its_own_effects_alone() -> None:
    record = wrote(EMPTY, EU, 1, Put({"name": "a", "visits": 2, "tags": {"x"}}))
    deleted = wrote(record, EU, 2, Delete())
    touched = updated(record, US, 1, Increment("visits", 5), Add("tags", ("y",)))
    assert deleted.join(touched).value() == {"visits": 5, "tags": frozenset({"y"})}


def test_record_can_be_written_again_after_a_delete() -> None:
    record = wrote(wrote(EMPTY, EU, 1, Put({"visits": 7})), EU, 2, Delete())
    assert updated(record, EU, 3, Increment("visits", 1)).value() == {"visits": 1}


# -- put ----------------------------------------------------------------------------------------------------------


def test_put_replaces_what_it_has_seen() -> None:
    record = wrote(EMPTY, EU, 1, Put({"name": "a", "other": 1, "visits": 7, "tags": {"x", "y"}}))
    record = wrote(record, US, 1, Put({"name": "b", "visits": 2, "tags": ["y", "z"]}))
    assert record.value() == {"name": "b", "visits": 2, "tags": frozenset({"y", "z"})}


def test_put_concurrent_with_an_increment_keeps_both() -> None:
    record = wrote(EMPTY, EU, 1, Put({"visits": 7}))
    put = wrote(record, EU, 2, Put({"visits": 100}))
    incremented = updated(record, US, 1, Increment("visits", 3))
    assert put.join(incremented).value() == {"visits": 103}


def test_put_of_an_empty_set_leaves_the_field_out() -> None:
    assert wrote(EMPTY, EU, 1, Put({"tags": set()})).value() == {}


# -- lww ----------------------------------------------------------------------------------------------------------


def test_concurrent_registers_are_won_by_the_greater_timestamp_and_the_loser_is_kept() -> None:
    left = wrote(EMPTY, EU, 1, Update((Set("name", "late"),)), at_ms=9)
    right = wrote(EMPTY, US, 1, Update((Set("name", "early"),)), at_ms=5)
    both = left.join(right)
    assert both.value() == {"name": "late"}
    assert both.lww_candidates("name") == [
        (Dot(EU, 1), timestamp(9), "late"),
        (Dot(US, 1), timestamp(5), "early"),
    ]
    assert both.latest() == timestamp(9)


def test_equal_timestamps_are_decided_by_actor() -> None:
    left, right = updated(EMPTY, EU, 1, Set("name", "eu")), updated(EMPTY, US, 1, Set("name", "us"))
    assert left.join(right).value() == right.join(left).value() == {"name": "us"}


def test_write_that_has_seen_both_wins_with_an_older_timestamp() -> None:
    left, right = updated(EMPTY, EU, 1, Set("name", "eu")), updated(EMPTY, US, 1, Set("name", "us"))
    after = wrote(left.join(right), EU, 2, Update((Set("name", "seen"),)), at_ms=0)
    assert after.value() == {"name": "seen"}
    assert len(after.lww_candidates("name")) == 1


def test_candidates_of_other_fields_are_none() -> None:
    record = updated(EMPTY, EU, 1, Increment("visits", 1))
    assert record.lww_candidates("visits") == record.lww_candidates("nothing") == []


def test_containers_given_and_returned_are_not_shared() -> None:
    given = ["a"]
    record = updated(EMPTY, EU, 1, Set("name", given))
    given.append("b")
    returned = record.value()
    assert returned == {"name": ["a"]}
    returned["name"].append("c")
    assert record.value() == {"name": ["a"]}


# -- counter ------------------------------------------------------------------------------------------------------


def test_concurrent_increments_all_count() -> None:
    left, right = updated(EMPTY, EU, 1, Increment("visits", 2)), updated(EMPTY, US, 1, Increment("visits", -5))
    assert left.join(right).value() == {"visits": -3}


def test_reset_takes_back_only_what_it_has_seen() -> None:
    seen = updated(EMPTY, EU, 1, Increment("visits", 10))
    reset = updated(seen, US, 1, Clear("visits"))
    more = updated(seen, EU, 2, Increment("visits", 3))
    assert reset.value() == {}
    assert reset.join(more).value() == {"visits": 3}


def test_two_concurrent_resets_take_back_once() -> None:
    seen = updated(EMPTY, EU, 1, Increment("visits", 10))
    left = updated(seen, EU, 2, Clear("visits"), Increment("visits", 1))
    right = updated(seen, US, 1, Clear("visits"), Increment("visits", 2))
    assert left.join(right).value() == {"visits": 3}


def test_increments_around_a_reset_in_one_write_count_as_they_are_ordered() -> None:
    assert value_after(Increment("visits", 5), Clear("visits"), Increment("visits", 2)) == {"visits": 2}
    assert value_after(Increment("visits", 5), Clear("visits")) == {}


def test_int_and_decimal_sum_exactly() -> None:
    record = updated(EMPTY, EU, 1, Increment("visits", 1), Increment("visits", Decimal("0.1")))
    record = updated(record, US, 1, Increment("visits", Decimal("0.2")))
    assert record.value() == {"visits": Decimal("1.3")}
    tiny, huge = Decimal("1E-60"), Decimal("1E+60")
    wide = updated(EMPTY, EU, 1, Increment("visits", tiny)).join(updated(EMPTY, US, 1, Increment("visits", huge)))
    assert wide.value() == {"visits": Decimal("1" + "0" * 60 + "." + "0" * 59 + "1")}, "nothing is rounded away"


def test_decimals_of_full_width_are_reset_exactly() -> None:
    seen = updated(EMPTY, EU, 1, Increment("visits", Decimal("9" * 36 + ".7")))
    record = updated(seen, EU, 2, Clear("visits"), Increment("visits", Decimal("-0.2")))
    assert record.value() == {"visits": Decimal("-0.2")}


def test_total_wider_than_any_amount_reads_as_bytes_and_back() -> None:
    left = updated(EMPTY, EU, 1, Increment("visits", Decimal("9" * 38)))
    right = updated(EMPTY, US, 1, Increment("visits", Decimal("1E-128")))
    value = left.join(right).value()
    assert unpack_value(pack_value(value)) == value


def test_counter_beyond_64_bits_is_exact_and_readable() -> None:
    record = EMPTY
    for counter in (1, 2, 3):
        record = updated(record, EU, counter, Increment("visits", 2**63 - 1))
    total = 3 * (2**63 - 1)
    assert record.value() == {"visits": total}
    assert orjson.loads(record.document() or b"") == {"visits": str(total)}


def test_counter_that_would_outgrow_its_digits_is_refused() -> None:
    record = updated(EMPTY, EU, 1, Increment("visits", Decimal("9" * 38)))
    with pytest.raises(InvalidValue, match=r"visits .the running total.: a Decimal of 39 digits"):
        updated(record, EU, 2, Increment("visits", 1))


# -- add-wins set -------------------------------------------------------------------------------------------------


def test_addition_wins_over_a_concurrent_removal() -> None:
    seen = updated(EMPTY, EU, 1, Add("tags", ("x", "y")))
    removed = updated(seen, EU, 2, Remove("tags", ("x",)))
    added = updated(seen, US, 1, Add("tags", ("x",)))
    assert removed.value() == {"tags": frozenset({"y"})}
    assert removed.join(added).value() == {"tags": frozenset({"x", "y"})}


def test_later_operation_on_an_element_wins_within_one_write() -> None:
    assert value_after(Add("tags", ("x",)), Remove("tags", ("x",))) == {}
    assert value_after(Remove("tags", ("x",)), Add("tags", ("x",))) == {"tags": frozenset({"x"})}
    assert value_after(Add("tags", ("x",)), Clear("tags"), Add("tags", ("y",))) == {"tags": frozenset({"y"})}


def test_adding_an_element_again_replaces_its_dot_instead_of_growing() -> None:
    record = updated(EMPTY, EU, 1, Add("tags", ("x",)))
    size_bytes = len(encode_record(record)[1])
    for counter in range(2, 20):
        record = updated(record, EU, counter, Add("tags", ("x",)))
    assert len(encode_record(record)[1]) == size_bytes


def test_set_of_many_types_keeps_them_apart() -> None:
    elements = (1, "1", b"1")
    record = updated(EMPTY, EU, 1, Add("tags", elements))
    assert record.value() == {"tags": frozenset(elements)}
    assert orjson.loads(record.document() or b"") == {"tags": [1, "1", "MQ=="]}


# -- deltas -------------------------------------------------------------------------------------------------------


def test_delta_that_arrives_before_its_predecessor_does_not_delete_it() -> None:
    """A hole in a context must not act as a delete."""
    first = updated(EMPTY, EU, 1, Add("tags", ("a",)))
    second = first.apply(Update((Add("tags", ("b",)),)), Dot(EU, 5), timestamp(2), SCHEMA)
    early = EMPTY.join(second)
    assert early.value() == {"tags": frozenset({"b"})}
    assert early.join(first).value() == {"tags": frozenset({"a", "b"})}


def test_removal_that_arrives_before_the_write_it_removes_still_removes_it() -> None:
    first = wrote(EMPTY, EU, 1, Put({"name": "a", "tags": {"x", "y"}}))
    removal = first.apply(Update((Remove("tags", ("x",)),)), Dot(US, 1), timestamp(2), SCHEMA)
    early = EMPTY.join(removal)
    assert early.removed
    whole = early.join(first)
    assert whole.value() == {"name": "a", "tags": frozenset({"y"})}, "other fields of the same write are untouched"
    assert not whole.removed


def test_delta_of_one_field_is_small_beside_a_large_record() -> None:
    record = wrote(EMPTY, EU, 1, Put({f"field{n}": "x" * 100 for n in range(100)}))
    delta = record.apply(Update((Set("field7", "y"),)), Dot(EU, 2), timestamp(2), SCHEMA)
    assert sum(map(len, encode_record(delta))) < 100


def test_repr_shows_value_context_and_pending_removals() -> None:
    record = updated(EMPTY, EU, 1, Set("name", "a"))
    assert repr(record) == "Record({'name': 'a'}, Context(eu/s1/1: 1))"
    delta = record.apply(Delete(), Dot(US, 4), timestamp(2), SCHEMA)
    removed = "{'': [(None, 'eu/s1/1', 1)], 'name': [(None, 'eu/s1/1', 1)]}"
    assert repr(delta) == f"Record(None, Context(us/s1/1: 4), removed={removed})"
