"""The merge rules there are, by name and by wire code. The laws in the tests are parametrised over it."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from atoll.crdt.add_wins_set import AddWinsSet
from atoll.crdt.counter import Counter
from atoll.crdt.lww import LastWriterWins
from atoll.crdt.rule import MergeRule
from atoll.crdt.schema import Rule

LWW: Final = LastWriterWins()

RULES: Final = MappingProxyType[Rule, MergeRule[Any]]({rule.name: rule for rule in (LWW, Counter(), AddWinsSet())})
"""By the name that configuration uses."""

RULE_OF_CODE: Final[dict[int, MergeRule[Any]]] = {rule.code: rule for rule in RULES.values()}
"""By the code in stored bytes."""

assert RULES.keys() == set(Rule), "every rule that can be configured is implemented"
assert len(RULE_OF_CODE) == len(RULES), "wire codes are unique"
