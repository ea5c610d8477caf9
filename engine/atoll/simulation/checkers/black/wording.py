"""Operations in words, for findings that are complete in themselves."""

from __future__ import annotations

from typing import Any

from atoll.simulation.history import Entry, Status
from atoll.simulation.plan import Action

VALUE_CHARACTERS_MAX = 60
"""Of one value in a sentence."""


def place_of(entry: Entry) -> str:
    """The field that an operation touched: ``cities/k1.title``, with its zone if it named one."""
    planned = entry.planned
    zone = f" in zone {planned.zone}" if planned.zone else ""
    field = f".{planned.field}" if planned.field else ""
    return f"{planned.collection}/{planned.key}{field}{zone}"


def told(entry: Entry) -> str:
    """An operation as a noun: ``the read of cities/k1.title by tokyo/c1 in tokyo at 3.214 s (operation 17)``."""
    return f"the {_noun(entry)} by {entry.session} in {entry.planned.region} {_when(entry)} (operation {entry.index})"


def shown(value: Any) -> str:
    """A value, cut short if it is long."""
    text = repr(value)
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[: VALUE_CHARACTERS_MAX - 3]}..."


def _noun(entry: Entry) -> str:
    place = place_of(entry)
    match entry.planned.action:
        case Action.READ:
            return f"last read of {place}" if entry.final else f"read of {place}"
        case Action.ADD:
            return f"addition of {shown(entry.planned.argument)} to {place}"
        case Action.REMOVE:
            return f"removal of {shown(entry.planned.argument)} from {place}"
        case Action.INCREMENT:
            return f"increment of {place} by {entry.planned.argument}"
        case Action.RESET:
            return f"reset of {place}"
        case Action.SET:
            return f"write of {shown(entry.planned.argument)} to {place}"
        case Action.DELETE:
            return f"deletion of {place}"


def _when(entry: Entry) -> str:
    if entry.planned.action is Action.READ:
        return f"at {entry.began:.3f} s"
    if entry.status is Status.OK:
        return f"acknowledged at {entry.ended:.3f} s"
    return f"{'refused' if entry.status is Status.FAILED else 'of unknown outcome'} at {entry.ended:.3f} s"
