"""Clients that write what can be audited: each write adds a name of its own to a set and one to a counter.

One write is one dot, so both effects stand or fall together. Afterwards the set says which writes happened and the
counter how often: acknowledged names are all there, refused ones are not, and the counter equals the set's size
exactly when no write was applied twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import atoll
from atoll.errors import AtollError, OutcomeUnknown, Retryable

COLLECTION = "ledger"
RECORDS = tuple(f"page{number}" for number in range(8))


@dataclass(slots=True)
class Ledger:
    """What the clients were told, by record."""

    acknowledged: dict[str, set[str]] = field(default_factory=lambda: {record: set() for record in RECORDS})
    refused: dict[str, set[str]] = field(default_factory=lambda: {record: set() for record in RECORDS})
    unknown: dict[str, set[str]] = field(default_factory=lambda: {record: set() for record in RECORDS})

    def count(self) -> dict[str, int]:
        """How many writes ended how."""
        parts = {"acknowledged": self.acknowledged, "refused": self.refused, "unknown": self.unknown}
        return {name: sum(map(len, part.values())) for name, part in parts.items()}

    def audit(self, record: str, value: dict[str, Any] | None) -> list[str]:
        """Everything that is wrong with a record; empty if nothing is."""
        written = set((value or {}).get("names", ()))
        counted = (value or {}).get("visits", 0)
        complaints = []
        if lost := self.acknowledged[record] - written:
            complaints.append(f"{record}: acknowledged and lost: {sorted(lost)[:5]} ({len(lost)})")
        if ghosts := self.refused[record] & written:
            complaints.append(f"{record}: refused and there all the same: {sorted(ghosts)[:5]} ({len(ghosts)})")
        if strangers := written - self.acknowledged[record] - self.unknown[record] - self.refused[record]:
            complaints.append(f"{record}: nobody wrote {sorted(strangers)[:5]} ({len(strangers)})")
        if counted != len(written):
            complaints.append(f"{record}: {len(written)} writes happened and {counted} were counted")
        return complaints


async def write_until(
    stopped: asyncio.Event, addresses: Sequence[str], name: str, ledger: Ledger, *, writers: int, seed: int
) -> None:
    """``writers`` closed loops through one client until ``stopped``."""
    async with atoll.connect(addresses, timeout_seconds=3.0) as client, asyncio.TaskGroup() as loops:
        for number in range(writers):
            random = Random(seed * 1_000 + number)
            loops.create_task(_write(client, stopped, f"{name}-{number}", ledger, random))


async def _write(client: atoll.Client, stopped: asyncio.Event, name: str, ledger: Ledger, random: Random) -> None:
    sequence = 0
    while not stopped.is_set():
        sequence += 1
        record, entry = random.choice(RECORDS), f"{name}-{sequence}"
        try:
            await client.update(COLLECTION, record, atoll.increment("visits"), atoll.add("names", entry))
        except OutcomeUnknown:
            ledger.unknown[record].add(entry)
        except Retryable:
            ledger.refused[record].add(entry)
            await asyncio.sleep(0.05)
        except AtollError as error:
            raise AssertionError(f"{entry}: an error that no crash excuses: {error!r}") from error
        else:
            ledger.acknowledged[record].add(entry)
