"""The answer to "can this node serve?", with its reasons."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Readiness:
    """``problems`` keep traffic away; ``warnings`` do not: a node that lost one of several shards still serves."""

    problems: Mapping[str, str] = field(default_factory=dict)
    """By part, what is wrong; the node is ready when there is none."""
    warnings: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        return not self.problems


ReadinessCheck = Callable[[], Awaitable[Readiness]]
"""Called for each request to ``/health/ready``; answers within
:data:`~atoll.limits.READY_ANSWER_SECONDS_MAX` or raises, which counts as not ready."""
