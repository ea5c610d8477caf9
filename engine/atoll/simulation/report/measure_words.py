"""How measures over seeds are said: a number with its unit, what is measured, and which side is better."""

from __future__ import annotations

from atoll.simulation.campaign.comparison import Row
from atoll.simulation.campaign.measures import Unit
from atoll.simulation.report.words import NOTHING, duration, percent


def number(value: float | None, unit: Unit) -> str:
    """A measured number with its unit, but for shares of a thousand, whose unit stands in the heading."""
    if value is None:
        return NOTHING
    match unit:
        case Unit.MILLISECONDS:
            return duration(value / 1_000)
        case Unit.SHARE:
            return percent(value)
        case Unit.PER_THOUSAND:
            return f"{value:.3g}"


def difference(row: Row) -> str:
    """B minus A with its sign, in the unit of the measure; shares in points, for a share of a share misleads."""
    if row.difference is None:
        return NOTHING
    size = amount(abs(row.difference), row.measure.topic.unit)
    sign = "" if size.startswith("0 ") or size == "0" else "-" if row.difference < 0 else "+"
    return f"{sign}{size}"


def chance(row: Row) -> str:
    """How far the difference may be off by chance; nothing is known of that with one seed."""
    if row.spread is None:
        return "unknown: one seed"
    return f"within {amount(row.spread, row.measure.topic.unit)}"


def amount(value: float, unit: Unit) -> str:
    """The size of a difference."""
    return f"{value * 100:.2g} points" if unit is Unit.SHARE else number(value, unit)


def judgement(row: Row) -> str:
    """Which side is better, in words."""
    if row.a is None or row.b is None:
        return "not on both sides"
    if not row.better:
        return "no clear difference"
    return "B is better" if row.better == "b" else "B is worse"
