"""SVG elements as escaped markup.

Numbers are written with two decimals at most: a picture of some thousand shapes stays small. Names of attributes
take ``_`` for ``-`` and lose a trailing one (``class_``).
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def element(name: str, *children: Markup | str, **attributes: str | float | None) -> Markup:
    """One element; children that are plain text are escaped, attributes that are ``None`` left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>")


def group(children: Iterable[Markup], title: str = "", **attributes: str | float | None) -> Markup:
    """A ``g``; its title is what a pointer hovering over it is told."""
    told = [element("title", title)] if title else []
    return element("g", *told, *children, **attributes)


def picture(
    name: str, title: str, description: str, width: float, height: float, children: Iterable[Markup]
) -> Markup:
    """A whole drawing that says what it shows to those who cannot see it. ``name`` is unique on the page."""
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        *children,
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        class_="chart",
    )


def text(x: float, y: float, content: str, **attributes: str | float | None) -> Markup:
    """A line of text, ``y`` its base line."""
    return element("text", content, x=x, y=y, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: str | float | None) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def rectangle(x: float, y: float, width: float, height: float, title: str = "", **attributes: str | float) -> Markup:
    """A box; never narrower than a visible sliver."""
    told = [element("title", title)] if title else []
    return element("rect", *told, x=x, y=y, width=max(width, 0.5), height=max(height, 0.0), **attributes)


def shortened(content: str, most: int) -> str:
    """``content`` in at most ``most`` characters, cut in the middle: both ends of a name tell names apart."""
    if len(content) <= most:
        return content
    head = (most - 1 + 1) // 2
    return f"{content[:head]}…{content[len(content) - (most - 1 - head) :]}"


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return str(escape(value))
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
