"""How figures are said: seconds, shares, counts, the same in the terminal and on the page.

Everything is ASCII. A share is never rounded up to 100 % or down to 0 %: one failed operation in a million is seen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from atoll.simulation.report.statistics import Spread, Tally

NOTHING = "-"
"""There is no such figure."""


def percent(share: float | None) -> str:
    """``99.8 %``; ``100 %`` and ``0 %`` only if it is exactly that."""
    if share is None:
        return NOTHING
    if share in (0.0, 1.0):
        return f"{share:.0%}".replace("%", " %")
    return f"{min(99.9, max(0.1, share * 100)):.1f} %"


def share_of(tally: Tally) -> str:
    """The share of a tally that went well."""
    return percent(tally.share)


def duration(seconds: float | None) -> str:
    """A duration with the unit that fits: ``0.4 ms``, ``71 ms``, ``3.4 s``, ``12 min``."""
    if seconds is None:
        return NOTHING
    if seconds == 0:
        return "0"
    if seconds < 0.9995:
        return _figures(seconds * 1_000, significant=2) + " ms"
    if seconds < 600:
        return _figures(seconds) + " s"
    return f"{seconds / 60:.0f} min"


def between(began: float, ended: float) -> str:
    """``30 - 60 s``."""
    return f"{_figures(began)} - {_figures(ended)} s"


def two_durations(found: Spread | None, unit_seconds: float = 1.0) -> str:
    """Median and 99th percentile: ``71 ms / 31 s``."""
    if found is None:
        return NOTHING
    return f"{duration(found.p50 * unit_seconds)} / {duration(found.p99 * unit_seconds)}"


def count(number: int) -> str:
    """``1,904``."""
    return f"{number:,}"


def size(number: int) -> str:
    """Bytes: ``19.4 MB``."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number} B"


def plural(number: int, one: str, many: str = "") -> str:
    """``1 fault``, ``2 faults``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def counted(counts: Mapping[str, int], most: int = 4) -> str:
    """``unavailable 12, overloaded 3, 2 other kinds``, in the order given."""
    shown = [f"{name.replace('_', ' ')} {number:,}" for name, number in list(counts.items())[:most]]
    if len(counts) > most:
        shown.append(plural(len(counts) - most, "other kind"))
    return ", ".join(shown)


def listed(names: Iterable[str], most: int = 6) -> str:
    """``a, b and 3 more``."""
    every = list(names)
    if len(every) <= most:
        return ", ".join(every)
    return f"{', '.join(every[: most - 1])} and {len(every) - most + 1} more"


def _figures(number: float, significant: int = 3) -> str:
    """No more decimals than give so many significant figures; no exponent, no empty decimals."""
    if number == 0:
        return "0"
    digits = max(0, significant - 1 - math.floor(math.log10(abs(number))))
    text = f"{number:.{min(digits, 3)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
