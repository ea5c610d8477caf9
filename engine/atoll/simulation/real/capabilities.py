"""What this machine allows, asked before a run begins: whose processes can be cut off from each other, and how.

Three rungs of a ladder. Each region in a network namespace of its own, with ``netem`` on every link, can do to
packets whatever a network does. Without ``netem`` the namespaces still cut by routes and narrow by ``tbf``. Without
either, processes meet on loopback, and proxies of connections delay, narrow and cut: that needs no privilege at all,
and is the rung that runs are on. What the machine could do beyond it is said with every result.

Each question is a command in a namespace that ends with it, so that nothing of it remains.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from atoll.simulation.limits import PROBE_SECONDS_MAX

_PAIR = "ip link set lo up && ip link add near type veth peer name far && ip link set near up && ip link set far up"
QUESTIONS: Mapping[str, str] = {
    "network namespaces": "true",
    "veth": _PAIR,
    "blackhole routes": "ip link set lo up && ip route add blackhole 198.51.100.1",
    "tbf": f"{_PAIR} && tc qdisc add dev near root tbf rate 1mbit burst 32kbit latency 400ms",
    "netem": f"{_PAIR} && tc qdisc add dev near root netem delay 10ms loss 1%",
}
"""What is asked, and the shell command, inside a network namespace, that answers by its exit code."""


class Rung(StrEnum):
    """How far the regions of a run can be kept apart."""

    NETEM = "namespaces with netem"
    NAMESPACES = "namespaces with routes and tbf"
    PROXIES = "loopback and proxies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The answers."""

    is_root: bool
    allows: Mapping[str, bool]
    """By the names of :data:`QUESTIONS`."""

    @property
    def highest(self) -> Rung:
        """The highest rung that this machine would bear."""
        if all(self.allows.values()):
            return Rung.NETEM
        if all(allowed for name, allowed in self.allows.items() if name != "netem"):
            return Rung.NAMESPACES
        return Rung.PROXIES

    @property
    def rung(self) -> Rung:
        """The rung that runs are on: the lowest, which every machine bears."""
        return Rung.PROXIES

    def describe(self) -> str:
        """One line for the result of a run."""
        able = [name for name, allowed in self.allows.items() if allowed]
        unable = [name for name, allowed in self.allows.items() if not allowed]
        parts = [f"unused here: {', '.join(able)}"] if able else []
        parts += [f"impossible here: {', '.join(unable)}"] if unable else []
        return f"real processes on one machine, {self.rung} ({'; '.join(parts)})"


def probe() -> Machine:
    """Ask this machine; some tenths of a second. Never raises for what is merely missing."""
    return Machine(is_root=os.geteuid() == 0, allows={name: _answers(command) for name, command in QUESTIONS.items()})


def _answers(command: str) -> bool:
    unshare, shell = shutil.which("unshare"), shutil.which("sh")
    if unshare is None or shell is None:
        return False
    enter = [unshare, "--net"] if os.geteuid() == 0 else [unshare, "--net", "--map-root-user"]
    try:
        done = subprocess.run(
            [*enter, shell, "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
