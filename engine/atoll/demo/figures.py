"""Every figure of the demo, for ``--json`` and for tests; the story is told from the same ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Figures:
    """Filled in as the story goes. Times in seconds."""

    postgres: str = ""
    start_seconds: float = 0.0
    records_loaded: int = 0
    load_seconds: float = 0.0
    everywhere_after_seconds: float = 0.0
    """From the last acknowledged record of the load to its being in every region."""
    shards: dict[str, dict[str, int]] = field(default_factory=dict)
    """Records by region and shard after the load."""
    placement: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Of some cities, the shard in each region."""
    contested_records: int = 0
    contested_writes: dict[str, int] = field(default_factory=dict)
    """Acknowledged writes by region while all were connected."""
    cut_off: str = ""
    cut_seconds: float = 0.0
    cut_writes: dict[str, int] = field(default_factory=dict)
    """Acknowledged writes by region while one was cut off."""
    cut_reads: int = 0
    """Reads that the region that was cut off answered alone."""
    cut_read_p50_seconds: float = 0.0
    cut_read_p99_seconds: float = 0.0
    converge_seconds: float = 0.0
    """From the end of the cut to the moment at which every region had seen every write."""
    records_merged: int = 0
    """Rows that had changed on both sides and met the merge rules, over all shards of all regions."""
    merges: list[dict[str, Any]] = field(default_factory=list)
    """The fields that the story follows: merged, expected, and the rule."""
    visits_acknowledged: int = 0
    visits_merged: int = 0
    writes_unknown: int = 0
    wrong_records: list[str] = field(default_factory=list)
    """Contested records whose counter or set is not what was acknowledged, in any region."""
    lag: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """By receiver and sender, p50 and p99 over the last batches while all regions wrote the same records."""
    residency: dict[str, Any] = field(default_factory=dict)
    verification: dict[str, Any] = field(default_factory=dict)
    total_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    """Everything that is not as promised; the demo succeeds if there is nothing."""

    def as_json(self) -> dict[str, Any]:
        return {"ok": not self.failures, **asdict(self)}
