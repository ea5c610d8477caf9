"""Which merge rule each field of a collection follows. Undeclared fields are ``lww`` unless the schema is strict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Rule(StrEnum):
    """The merge rules by the name that configuration uses."""

    LWW = "lww"
    COUNTER = "counter"
    ADD_WINS_SET = "add_wins_set"


@dataclass(frozen=True, slots=True)
class Schema:
    """Field to rule. The rule of a field never changes: states of two rules cannot be joined."""

    fields: Mapping[str, Rule] = field(default_factory=dict)
    strict: bool = False
    """Refuse fields that are not declared."""
