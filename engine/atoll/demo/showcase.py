"""Two records whose fate the story follows by hand: written on both sides of the cut, merged by rule.

``Lisbon, PT`` gets a motto, visits and tags from every side; ``Atlantis, PT`` is deleted on one side and visited on
the other. What must come out follows from the rules alone, not from what the ring answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from atoll.client.client import Client
from atoll.client.operations import add, assign, increment, remove
from atoll.crdt.operations import FieldOperation
from atoll.demo.configuration import CITIES, FRANKFURT, TOKYO, VIRGINIA
from atoll.ids import RegionName

LISBON: Final = "Lisbon, PT"
ATLANTIS: Final = "Atlantis, PT"
COUNTRY: Final = "PT"

BEFORE: Final = (assign("motto", "seven hills"), increment("visits", 10), add("tags", "capital", "harbour"))
DURING: Final[Mapping[RegionName, Sequence[FieldOperation]]] = {
    FRANKFURT: (assign("motto", "city of light"), increment("visits", 3), remove("tags", "harbour")),
    VIRGINIA: (increment("visits", 5), add("tags", "fado")),
    TOKYO: (assign("motto", "where the land ends"), increment("visits", 7), add("tags", "harbour")),
}
"""What each region's client does while Tokyo is alone, in this order of time."""

ATLANTIS_VISITS: Final = 1


class Merge(NamedTuple):
    """What became of one field, and by which rule."""

    field: str
    merged: Any
    expected: Any
    why: str

    @property
    def is_right(self) -> bool:
        return bool(self.merged == self.expected)


@dataclass(frozen=True, slots=True)
class Sight:
    """The two records as one region sees them."""

    lisbon: Mapping[str, Any] | None
    atlantis: Mapping[str, Any] | None


async def set_the_scene(client: Client) -> None:
    """Before the cut: both records as everybody will know them."""
    await client.update(CITIES, LISBON, *BEFORE, country=COUNTRY, timeout_seconds=30)
    await client.put(CITIES, ATLANTIS, {"name": "Atlantis", "country": COUNTRY}, country=COUNTRY, timeout_seconds=30)


async def write_on_both_sides(clients: Mapping[RegionName, Client]) -> None:
    """During the cut, one region after the other, so that it is known which motto is the later one."""
    for region, operations in DURING.items():
        await clients[region].update(CITIES, LISBON, *operations, country=COUNTRY, timeout_seconds=30)
    await clients[FRANKFURT].delete(CITIES, ATLANTIS, country=COUNTRY, timeout_seconds=30)
    visit = increment("visits", ATLANTIS_VISITS)
    await clients[TOKYO].update(CITIES, ATLANTIS, visit, country=COUNTRY, timeout_seconds=30)


async def look(client: Client) -> Sight:
    """How a region sees the two records now."""
    return Sight(
        await client.get(CITIES, LISBON, country=COUNTRY, timeout_seconds=30),
        await client.get(CITIES, ATLANTIS, country=COUNTRY, timeout_seconds=30),
    )


def judge(seen: Sight) -> list[Merge]:
    """Each field after the healing, beside what its rule demands."""
    lisbon = seen.lisbon or {}
    atlantis = seen.atlantis or {}
    return [
        Merge(
            "motto",
            lisbon.get("motto"),
            "where the land ends",
            "lww: Frankfurt's and Tokyo's are concurrent; the later one wins",
        ),
        Merge("visits", lisbon.get("visits"), 25, "counter: every increment counts, 10 + 3 + 5 + 7"),
        Merge(
            "tags",
            lisbon.get("tags"),
            frozenset({"capital", "fado", "harbour"}),
            "add_wins_set: Frankfurt removed harbour while Tokyo added it: it stays",
        ),
        Merge(
            ATLANTIS,
            atlantis.get("visits"),
            ATLANTIS_VISITS,
            "deleted in Frankfurt, visited in Tokyo meanwhile: the visit survives",
        ),
    ]
