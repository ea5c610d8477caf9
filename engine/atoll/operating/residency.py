"""Is anything where it may not be? A search of every Postgres of the ring that does not ask Atoll (promise I8).

The searched texts are parts of keys or values that only the restricted records hold. They must be found in the
regions that may hold them, or the search proves nothing, and nowhere else.
"""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from atoll.ids import Origin, RegionName
from atoll.postgres.inspection import Finding, find_everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidencyReport:
    """What the search found, by shard; shards without a finding are in ``findings`` with none."""

    allowed: Sequence[RegionName]
    findings: Mapping[Origin, Sequence[Finding]]

    @property
    def violations(self) -> Mapping[Origin, Sequence[Finding]]:
        """Findings outside the allowed regions."""
        return {
            origin: found for origin, found in self.findings.items() if found and origin.region not in self.allowed
        }

    @property
    def found_at_home(self) -> bool:
        """Whether the search can find what it looks for at all."""
        return any(found for origin, found in self.findings.items() if origin.region in self.allowed)

    @property
    def is_kept(self) -> bool:
        """Whether the law is kept, and was seen to be."""
        return self.found_at_home and not self.violations

    def rows(self, region: RegionName) -> int:
        """Rows of any table that hold one of the texts, over the region's shards."""
        return sum(
            finding.rows for origin, found in self.findings.items() if origin.region == region for finding in found
        )


async def check_residency(
    dsns: Mapping[Origin, str], texts: Sequence[str], allowed: Collection[RegionName]
) -> ResidencyReport:
    """Search every database of every server that ``dsns`` lead to, all at once."""
    found = await asyncio.gather(*(find_everywhere(dsn, texts) for dsn in dsns.values()))
    return ResidencyReport(allowed=sorted(allowed), findings=dict(zip(dsns, found, strict=True)))


def find_in_files(directory: Path, texts: Sequence[str]) -> list[Path]:
    """Files below ``directory`` that hold one of the texts as they stand on disk, the write-ahead log included.

    What Postgres has compressed is not found; short values are never compressed.
    """
    patterns = [text.encode() for text in texts]
    return [path for path in sorted(directory.rglob("*")) if path.is_file() and _holds(path, patterns)]


def _holds(path: Path, patterns: Sequence[bytes]) -> bool:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(pattern) >= 0 for pattern in patterns)
    except (FileNotFoundError, ValueError):  # gone meanwhile, or empty
        return False
