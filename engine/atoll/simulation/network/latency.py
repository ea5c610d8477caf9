"""How far places are from each other: round-trip times in milliseconds, measured, and therefore not quite symmetric.

The table that comes with the package, ``latency-ibm-cloud-2024-09.csv``, holds the average round trips between ten
cloud regions from 17 August to 15 September 2024; source: IBM Cloud VPC documentation, "network latency", table of 15
September 2024. Anybody's own figures take the same form: a header ``from,PLACE,…`` and one row a place; a row is the
sender, a column the receiver.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from atoll.errors import InvalidConfiguration

_BUILT_IN = "latency-ibm-cloud-2024-09.csv"
_CORNER = "from"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTable:
    """Round trips between named places. ``name`` is the file it came from, for messages."""

    name: str
    places: Sequence[str]
    round_trips_ms: Mapping[tuple[str, str], float]
    """By (sender, receiver); every pair of places has one."""

    @classmethod
    def read(cls, path: Path) -> LatencyTable:
        """The table in a CSV file. Raises :class:`InvalidConfiguration` naming file, line, fault and fix."""
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise InvalidConfiguration(f"cannot read the latency table {path}: {why}; correct its path") from error
        except UnicodeDecodeError as error:
            raise InvalidConfiguration(f"cannot read the latency table {path}: it is no UTF-8 text") from error
        return cls.parse(text, str(path))

    @classmethod
    def built_in(cls) -> LatencyTable:
        """The measured table that comes with the package."""
        return _built_in()

    @classmethod
    def parse(cls, text: str, name: str) -> LatencyTable:
        """The table in ``text``, which came from ``name``; raises as :meth:`read` does."""
        return _Reading(name).table(text)

    def round_trip_ms(self, source: str, target: str) -> float:
        """As measured by ``source``. Raises :class:`InvalidConfiguration` for a place the table does not have."""
        self.check(source)
        self.check(target)
        return self.round_trips_ms[source, target]

    def one_way_seconds(self, source: str, target: str) -> float:
        """Half of the round trip measured by the sender: nothing better is known of the ways there and back."""
        return self.round_trip_ms(source, target) / 2_000

    def check(self, place: str) -> None:
        """Raises :class:`InvalidConfiguration`, with the places there are, if the table does not have ``place``."""
        if place not in self.places:
            raise InvalidConfiguration(
                f"{self.name} has no place {place!r}: choose one of {', '.join(self.places)},"
                " or give a table that has it."
            )


@cache
def _built_in() -> LatencyTable:
    text = resources.files(__package__).joinpath(_BUILT_IN).read_text(encoding="utf-8")
    return LatencyTable.parse(text, _BUILT_IN)


class _Reading:
    """One reading of one file; every refusal names the line."""

    def __init__(self, name: str) -> None:
        self._name = name

    def table(self, text: str) -> LatencyTable:
        reader = csv.reader(text.splitlines(), skipinitialspace=True)
        try:
            lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
        except csv.Error as error:
            raise self._wrong(
                reader.line_num, f"this is not CSV ({error})", "save the table as comma-separated"
            ) from error
        if not lines:
            raise self._wrong(1, "the table is empty", f"begin with a line {_CORNER},PLACE,PLACE")
        (header_line, header), *rows = lines
        places = self._places(header_line, header)
        round_trips: dict[tuple[str, str], float] = {}
        for line, row in rows:
            self._row(line, row, places, round_trips)
        for place in places:
            if (place, place) not in round_trips:
                raise self._wrong(lines[-1][0], f"there is no row for {place!r}", "add one, or remove its column")
        return LatencyTable(name=self._name, places=places, round_trips_ms=round_trips)

    def _places(self, line: int, header: Sequence[str]) -> Sequence[str]:
        if header[0].lower() != _CORNER or len(header) < 2:
            raise self._wrong(line, "the header is missing", f"begin with a line {_CORNER},PLACE,PLACE")
        places = header[1:]
        for index, place in enumerate(places):
            if not place:
                raise self._wrong(line, f"column {index + 2} has no name", "name it or remove it")
            if place in places[:index]:
                raise self._wrong(line, f"there are two columns {place!r}", "remove one of them")
        return tuple(places)

    def _row(
        self, line: int, row: Sequence[str], places: Sequence[str], round_trips: dict[tuple[str, str], float]
    ) -> None:
        source, cells = row[0], row[1:]
        if source not in places:
            raise self._wrong(
                line, f"the row {source!r} has no column of its name", "add the column or remove the row"
            )
        if (source, source) in round_trips:
            raise self._wrong(line, f"there is a second row {source!r}", "remove one of them")
        if len(cells) != len(places):
            raise self._wrong(
                line,
                f"the row {source!r} has {len(cells)} figures for {len(places)} columns",
                "give one figure, in milliseconds, for each column",
            )
        for target, cell in zip(places, cells, strict=True):
            round_trips[source, target] = self._figure(line, source, target, cell)

    def _figure(self, line: int, source: str, target: str, cell: str) -> float:
        pair = f"from {source} to {target}"
        if not cell:
            raise self._wrong(line, f"there is no figure {pair}", "give the round trip in milliseconds")
        try:
            figure = math.nan if "_" in cell else float(cell)
        except ValueError:
            figure = math.nan
        if not math.isfinite(figure):
            raise self._wrong(line, f"{cell!r} {pair} is not a number", "give the round trip in milliseconds")
        if figure < 0:
            raise self._wrong(line, f"{cell} {pair} is negative", "give the round trip in milliseconds")
        return figure

    def _wrong(self, line: int, what: str, fix: str) -> InvalidConfiguration:
        return InvalidConfiguration(f"{self._name}, line {line}: {what}; {fix}.")
