"""What people type on the command line becomes the value they mean."""

from __future__ import annotations

from decimal import Decimal

import pytest

from atoll.cli.values import parse_amount, parse_assignments, parse_object, parse_value
from atoll.errors import InvalidValue


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Köln", "Köln"),
        ("1073096", 1073096),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ('"7"', "7"),
        ("[1, 2]", [1, 2]),
        ("a=b", "a=b"),
        ("", ""),
        ("NaN", "NaN"),
    ],
)
def test_value_is_json_where_it_reads_as_json(text: str, value: object) -> None:
    assert parse_value(text) == value


def test_assignment_keeps_equal_signs_of_the_value() -> None:
    assert parse_assignments(["formula=a=b", "n=1"]) == {"formula": "a=b", "n": 1}


@pytest.mark.parametrize("arguments", [["plain"], ["=1"], ["a=1", "a=2"]])
def test_malformed_assignment_is_refused(arguments: list[str]) -> None:
    with pytest.raises(InvalidValue):
        parse_assignments(arguments)


@pytest.mark.parametrize("text", ["[1]", "1", "{", "null"])
def test_value_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="JSON"):
        parse_object(text)


def test_amount_is_exact() -> None:
    assert parse_amount("-3") == -3
    assert parse_amount("0.10") == Decimal("0.10")


@pytest.mark.parametrize("text", ["three", "", "inf", "NaN"])
def test_amount_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_amount(text)
