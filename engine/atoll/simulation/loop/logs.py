"""Log lines of a run: kept with simulated times instead of printed with real ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import structlog

if TYPE_CHECKING:
    from atoll.simulation.loop.event_loop import SimulationLoop


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of one host."""

    at: float
    host: str
    level: str
    event: str
    fields: Mapping[str, str]

    def __str__(self) -> str:
        fields = "".join(f" {name}={value}" for name, value in self.fields.items())
        return f"{self.at:.3f} s {self.host} [{self.level}] {self.event}{fields}"


@contextlib.contextmanager
def captured_logs(loop: SimulationLoop) -> Iterator[None]:
    """Send what is logged through ``structlog`` to ``loop.logs``; lines below ``info`` are dropped.

    The list of processors is changed in place, so that loggers which were bound before follow. Names of events are
    part of the trace, their fields are not: these may hold anything.
    """

    def capture(_: object, method: str, fields: MutableMapping[str, Any]) -> NoReturn:
        if method != "debug" and not loop.is_closed():
            event = str(fields.pop("event", ""))
            shown = {name: str(value) for name, value in sorted(fields.items())}
            host = loop.current_host().name
            loop.logs.append(LogLine(at=loop.now(), host=host, level=method, event=event, fields=shown))
            loop.trace.note("log", host, event)
        raise structlog.DropEvent

    processors = structlog.get_config()["processors"]
    originals = list(processors)
    processors[:] = [capture]
    try:
        yield
    finally:
        processors[:] = originals
