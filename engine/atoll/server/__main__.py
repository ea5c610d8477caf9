"""``python -m atoll.server``: one node of one region, until SIGTERM or SIGINT.

Where every address and DSN is in the configuration that is all a machine needs. A node that ``atoll up`` starts is
also told the state file, which holds the ports and servers that were allotted, and whose child it is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from atoll.configuration import load, read_token_key
from atoll.errors import AtollError, InvalidConfiguration
from atoll.ids import RegionName
from atoll.logs import configure_logging
from atoll.server.allotment import read_allotment
from atoll.server.parent_watch import die_with_parent
from atoll.server.process import NodeProcess
from atoll.server.region import region_of
from atoll.system_clock import SystemClock
from atoll.system_entropy import SystemEntropy


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 after an orderly stop, 2 when only a person can help: standard error says with what."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    options = _parser().parse_args(arguments)
    if options.parent is not None:
        die_with_parent(options.parent)
    configure_logging(region=options.region, node=options.node)
    try:
        process = _node_process(options)
        with asyncio.Runner(loop_factory=_loop_factory(options.loop)) as runner:
            runner.run(_until_signal(process))
    except AtollError as error:
        structlog.get_logger("atoll.server").error(error.message, code=error.code)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m atoll.server", description="One node of an Atoll ring.")
    parser.add_argument("--config", type=Path, default=Path("atoll.toml"), help="the ring's configuration")
    parser.add_argument("--region", required=True, help="the region this node serves")
    parser.add_argument("--node", default="n1", help="its name among the region's nodes")
    parser.add_argument("--allotment", type=Path, help="what `atoll up` allotted: its ring.json")
    parser.add_argument("--parent", type=int, help="end when this process ends, which has started this one")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default=os.environ.get("ATOLL_LOOP", "uvloop"))
    return parser


def _node_process(options: argparse.Namespace) -> NodeProcess:
    configuration = load(options.config)
    topology = configuration.topology(None if options.allotment is None else read_allotment(options.allotment))
    region = region_of(topology, RegionName(options.region))
    node = next((node for node in region.nodes if node.name == options.node), None)
    if node is None:
        known = ", ".join(node.name for node in region.nodes)
        raise InvalidConfiguration(f"region {region.name} has no node {options.node!r}; configured: {known}")
    return NodeProcess(
        topology,
        region.name,
        node,
        token_key=read_token_key(configuration),
        clock=SystemClock(),
        entropy=SystemEntropy(),
    )


async def _until_signal(process: NodeProcess) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await process.run(stop)


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if name == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


if __name__ == "__main__":
    sys.exit(main())
