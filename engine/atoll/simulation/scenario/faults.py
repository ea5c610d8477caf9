"""The vocabulary of ``[[fault]]``: partitions by shape, stories of machines, and the faults of a plan as such."""

from __future__ import annotations

from collections.abc import Mapping

from atoll.simulation.scenario.machines import (
    ClockDrift,
    ClockJump,
    ClockOffset,
    ClockStrobe,
    NtpStep,
    RollingRestart,
    SlowLink,
)
from atoll.simulation.scenario.partitions import (
    Bridge,
    Flapping,
    Halves,
    Isolate,
    Link,
    MajoritiesRing,
    OneWay,
    Ring,
    Swizzle,
)
from atoll.simulation.scenario.primitives import PRIMITIVES
from atoll.simulation.scenario.story import Story

STORIES: Mapping[str, type[Story]] = {
    "halves": Halves,
    "isolate": Isolate,
    "bridge": Bridge,
    "ring": Ring,
    "majorities_ring": MajoritiesRing,
    "one_way": OneWay,
    "link": Link,
    "flapping": Flapping,
    "swizzle": Swizzle,
    "slow_link": SlowLink,
    "rolling_restart": RollingRestart,
    "clock_offset": ClockOffset,
    "clock_drift": ClockDrift,
    "clock_jump": ClockJump,
    "clock_strobe": ClockStrobe,
    "ntp_step": NtpStep,
    **{str(kind): story for kind, story in PRIMITIVES.items()},
}
"""What a ``[[fault]]`` may be, by its ``kind``."""
