"""Templates: how figures become HTML. Autoescaping is on; a name that a template misspells is an error."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from atoll.simulation.report import words


@cache
def environment() -> Environment:
    """The templates beside this module."""
    made = Environment(
        loader=PackageLoader("atoll.simulation.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "count": words.count,
        "counted": words.counted,
        "duration": words.duration,
        "listed": words.listed,
        "percent": words.percent,
        "plural": words.plural,
        "size": words.size,
        "spaced": _spaced,
    }
    return made


def rendered(template: str, **values: Any) -> str:
    """The template filled with ``values``."""
    return environment().get_template(template).render(**values)


def _spaced(names: Iterable[str]) -> str:
    """Names of enums for people: ``crash node, lose region``."""
    return ", ".join(name.replace("_", " ") for name in names)
