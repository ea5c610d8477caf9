"""Figures as people read them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """``1 region``, ``2 regions``, ``4,711 rows``: for nouns whose plural ends in s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds_text(seconds: float) -> str:
    """``0.4 ms``, ``23 ms``, ``1.4 s``, ``2 min 5 s``; a dash for nothing measured."""
    if seconds <= 0:
        return "–"
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {seconds % 60:.0f} s"


def bytes_text(size_bytes: float) -> str:
    """``512 B``, ``1.2 kB``, ``34 MB``: decimal units, at most three digits."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000 or unit == "GB":
            break
        size_bytes /= 1000
    digits = 0 if unit == "B" or size_bytes >= 10 else 1
    return f"{size_bytes:.{digits}f} {unit}"
