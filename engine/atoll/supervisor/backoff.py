"""How long to wait before a process that died is started again."""

from __future__ import annotations

from atoll import limits


class RestartPause:
    """Doubling pauses between two bounds; a process that then ran for a while begins anew with the shortest."""

    def __init__(self) -> None:
        self._seconds = limits.RESTART_SECONDS_MIN

    def after(self, uptime_seconds: float) -> float:
        """The pause after a process that ran for ``uptime_seconds``."""
        if uptime_seconds >= limits.RESTART_FORGIVEN_SECONDS:
            self._seconds = limits.RESTART_SECONDS_MIN
        pause = self._seconds
        self._seconds = min(2 * self._seconds, limits.RESTART_SECONDS_MAX)
        return pause
