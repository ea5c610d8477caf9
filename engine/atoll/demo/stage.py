"""What every chapter of the story stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from atoll.client.client import Client
from atoll.demo.cities import World
from atoll.demo.configuration import REGIONS
from atoll.demo.figures import Figures
from atoll.demo.telling import Teller
from atoll.demo.traffic import Ledger
from atoll.ids import RegionName
from atoll.operating.access import RingAccess
from atoll.server.ring_state import RingState
from atoll.supervisor.directory import RingDirectory


@dataclass(slots=True, kw_only=True)
class Stage:
    """The ring that runs, a client in each region, and what has come to light so far."""

    teller: Teller
    world: World
    access: RingAccess
    directory: RingDirectory
    state: RingState
    clients: Mapping[RegionName, Client]
    figures: Figures
    ledger: Ledger = field(default_factory=Ledger)

    def fail(self, what: str) -> None:
        """Something is not as promised: the demo goes on, and ends with exit code 1."""
        self.figures.failures.append(what)

    def others(self, region: RegionName) -> list[RegionName]:
        return [other for other in REGIONS if other != region]
