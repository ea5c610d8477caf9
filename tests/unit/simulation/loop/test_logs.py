"""Log lines of a run are kept with simulated times."""

from __future__ import annotations

import asyncio

import structlog
from tests.unit.simulation.loop.worlds import play

from atoll.simulation.loop.event_loop import SimulationLoop

log = structlog.get_logger("atoll.node")


async def logging(loop: SimulationLoop) -> None:
    async def work() -> None:
        await asyncio.sleep(1.5)
        log.debug("too fine")
        log.warning("peer is silent", region="frankfurt", object=object())

    await loop.spawn(loop.host("tokyo/n1"), work(), "work")


def test_line_has_its_host_and_time_and_is_not_printed(capsys: object) -> None:
    loop = play(logging)
    (line,) = loop.logs
    assert (line.at, line.host, line.level, line.event) == (1.5, "tokyo/n1", "warning", "peer is silent")
    assert str(line).startswith("1.500 s tokyo/n1 [warning] peer is silent object=<object")
    assert line.fields["region"] == "frankfurt"


def test_name_of_the_event_is_traced_and_what_it_holds_is_not() -> None:
    first, second = play(logging, record=True), play(logging, record=True)
    assert [(event.kind, event.label) for event in first.trace.events] == [("log", "peer is silent")]
    assert first.trace.hexdigest() == second.trace.hexdigest()


def test_configuration_of_logs_is_back_after_the_run() -> None:
    before = list(structlog.get_config()["processors"])
    play(logging)
    assert structlog.get_config()["processors"] == before
