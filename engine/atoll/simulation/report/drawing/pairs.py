"""Two bars, one under the other on one scale: A above, B below."""

from __future__ import annotations

from markupsafe import Markup

from atoll.simulation.report.drawing.svg import element, rectangle

WIDTH = 150.0
BAR = 7.0


def pair_of_bars(a: float | None, b: float | None, high: float, told: str) -> Markup:
    """Bars from zero; ``high`` (above zero) fills the width. The page says the numbers beside it."""
    assert high > 0, "a scale needs room"
    bars = [
        rectangle(0, top, WIDTH * max(value, 0.0) / high, BAR, class_=f"side-{side}", rx=1.5)
        for side, value, top in (("a", a, 1.0), ("b", b, 3.0 + BAR))
        if value is not None
    ]
    height = 2 * BAR + 4
    return element(
        "svg",
        element("title", told),
        *bars,
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        width=WIDTH,
        height=height,
        role="img",
        class_="chart",
    )
