"""What asyncio would have logged: errors that nobody waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from atoll.simulation.loop.futures import SimulationTask
from atoll.simulation.loop.handles import label_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error without a handler. A run turns it into a finding: production code may not leave any."""

    at: float
    host: str
    message: str
    """What asyncio says: ``Task exception was never retrieved``."""
    source: str
    """The task's name or the callback's qualified name; empty if asyncio did not say."""
    error: BaseException | None

    def __str__(self) -> str:
        source = f" ({self.source})" if self.source else ""
        error = "" if self.error is None else f": {type(self.error).__name__}: {self.error}"
        return f"{self.at:.3f} s, {self.host}: {self.message}{source}{error}"


def failure_of(context: Mapping[str, Any], at: float, host: str) -> Failure:
    """What an exception handler was told, without the future itself: that one is about to be freed."""
    future = context.get("task") or context.get("future")
    if isinstance(future, SimulationTask):
        host, source = future.life.host.name, future.get_name()
    else:
        source = label_of(context["source"]) if "source" in context else ""
    message = str(context.get("message", "")).removeprefix("Simulation")  # asyncio names the class
    return Failure(at=at, host=host, message=message, source=source, error=context.get("exception"))
