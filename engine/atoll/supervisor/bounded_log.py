"""Logs of processes that run for long: put aside at the start when they have grown too large, one old one kept."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from atoll import limits


def open_log(path: Path) -> BinaryIO:
    """Open for appending, at the end; a file above the bound becomes ``<name>.1`` first."""
    if path.exists() and path.stat().st_size > limits.PROCESS_LOG_BYTES_MAX:
        path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")
