"""Tables of round-trip times: read whole, or refused with the line and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from atoll.errors import InvalidConfiguration
from atoll.simulation.network.latency import LatencyTable


def test_built_in_table_has_every_pair_as_measured() -> None:
    table = LatencyTable.built_in()
    assert len(table.places) == 10
    assert table.round_trip_ms("washington-dc", "dallas") == 32
    assert table.round_trip_ms("dallas", "washington-dc") == 31
    assert table.one_way_seconds("frankfurt", "sydney") == 0.125
    assert all(table.round_trip_ms(a, b) >= 0 for a in table.places for b in table.places)


def test_table_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("\ufefffrom, here, there\nthere, 7, 0\n\nhere,0,2.5\n", encoding="utf-8")
    table = LatencyTable.read(path)
    assert table.places == ("here", "there")
    assert table.round_trip_ms("here", "there") == 2.5
    assert table.round_trip_ms("there", "here") == 7


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "the table is empty"),
        ("a,b\na,0\nb,0", 1, "the header is missing"),
        ("from", 1, "the header is missing"),
        ("from,a,\na,0,1", 1, "column 3 has no name"),
        ("from,a,a\na,0,1", 1, "two columns 'a'"),
        ("from,a,b\na,0,1", 2, "no row for 'b'"),
        ("from,a,b\na,0,1\nb,1,0\nc,1,1", 4, "the row 'c' has no column"),
        ("from,a,b\na,0,1\na,0,1\nb,1,0", 3, "a second row 'a'"),
        ("from,a,b\na,0,\nb,1,0", 2, "no figure from a to b"),
        ("from,a,b\na,0\nb,1,0", 2, "1 figures for 2 columns"),
        ("from,a,b\na,0,1,2\nb,1,0", 2, "3 figures for 2 columns"),
        ("from,a,b\na,,1\nb,1,0", 2, "no figure from a to a"),
        ("from,a,b\na,0,-4\nb,1,0", 2, "-4 from a to b is negative"),
        ("from,a,b\na,0,far\nb,1,0", 2, "'far' from a to b is not a number"),
        ("from,a,b\na,0,nan\nb,1,0", 2, "'nan' from a to b is not a number"),
        ("from,a,b\na,0,inf\nb,1,0", 2, "'inf' from a to b is not a number"),
        ("from,a,b\na,0,1_0\nb,1,0", 2, "'1_0' from a to b is not a number"),
    ],
)
def test_table_that_is_wrong_is_refused_in_one_sentence(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidConfiguration) as refusal:
        LatencyTable.read(path)
    message = str(refusal.value)
    assert message.startswith(f"{path}, line {line}: ")
    assert what in message
    assert "\n" not in message


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="cannot read the latency table"):
        LatencyTable.read(tmp_path / "nothing.csv")


def test_place_that_is_not_in_the_table_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidConfiguration, match="no place 'atlantis': choose one of dallas, toronto"):
        LatencyTable.built_in().one_way_seconds("dallas", "atlantis")
