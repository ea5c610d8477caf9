"""Delta debugging finds what is to blame, and no more."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from atoll.simulation.campaign.ddmin import ddmin


def test_culprits_far_apart_are_found_with_few_questions() -> None:
    asked = 0

    def fails(part: Sequence[int]) -> bool:
        nonlocal asked
        asked += 1
        return 3 in part and 900 in part

    assert list(ddmin(range(1_000), fails)) == [3, 900]
    assert asked < 250


def test_list_that_is_not_to_blame_is_emptied_with_one_question() -> None:
    asked = []
    assert list(ddmin([1, 2, 3], lambda part: not asked.append(part))) == []
    assert len(asked) == 1


def test_nothing_stays_nothing() -> None:
    assert list(ddmin([], lambda part: False)) == []


@given(st.integers(1, 40), st.data())
def test_result_of_a_monotone_predicate_is_exactly_the_culprits(count: int, data: st.DataObject) -> None:
    culprits = data.draw(st.sets(st.integers(0, count - 1)))
    found = ddmin(range(count), lambda part: culprits <= set(part))
    assert list(found) == sorted(culprits)


@given(st.integers(1, 14), st.integers())
def test_result_of_any_predicate_fails_and_no_single_item_can_go(count: int, salt: int) -> None:
    def fails(part: Sequence[int]) -> bool:
        return len(part) == count or sum(item * 7 + salt for item in part) % 3 == 1

    found = list(ddmin(range(count), fails))
    assert fails(found)
    assert not found or not any(fails(found[:index] + found[index + 1 :]) for index in range(len(found)))
