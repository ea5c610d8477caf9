"""Functions and modules stay short. Today's exceptions stand in lengths.json, which may only shrink.

After shortening one, lower or remove its entry; nothing rewrites the file by itself, and nothing may be added.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.tidy.source import Source, engine_sources, functions, test_sources

FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 400
RATCHET = Path(__file__).with_name("lengths.json")


def lengths(sources: Iterable[Source]) -> dict[str, int]:
    """Every function and module that is too long: its name and its lines."""
    found: dict[str, int] = {}
    for source in sources:
        lines = source.text.count("\n")
        if lines > MODULE_LINES_MAX:
            found[source.module] = lines
        for name, node in functions(source.tree):
            span = (node.end_lineno or node.lineno) - node.lineno + 1
            if span > FUNCTION_LINES_MAX:
                found[f"{source.module}:{name}"] = span
    return found


def check_lengths(found: Mapping[str, int], allowed: Mapping[str, int]) -> list[str]:
    """Complaints about what is longer than allowed, and about permissions that are larger than needed."""
    complaints = []
    for name in sorted({*found, *allowed}):
        lines, permitted = found.get(name, 0), allowed.get(name, 0)
        if lines > permitted:
            limit = FUNCTION_LINES_MAX if ":" in name else MODULE_LINES_MAX
            complaints.append(
                f"{name} has {lines} lines; {permitted or limit} are allowed: cut a part out by its idea"
            )
        elif lines < permitted:
            complaints.append(f"{name} has become shorter: lower its entry in {RATCHET.name} to {lines} or remove it")
    return complaints


def test_nothing_is_longer_than_allowed_and_the_ratchet_is_tight() -> None:
    allowed = json.loads(RATCHET.read_text(encoding="utf-8"))
    complaints = check_lengths(lengths([*engine_sources(), *test_sources()]), allowed)
    assert not complaints, "\n".join(complaints)


def test_long_function_is_found() -> None:
    body = "    pass\n" * FUNCTION_LINES_MAX
    assert lengths([Source("m", f"class C:\n  def f(self):\n{body}")]) == {"m:C.f": 71}


def test_function_of_exactly_the_limit_is_left_alone() -> None:
    assert lengths([Source("m", "def f():\n" + "    pass\n" * (FUNCTION_LINES_MAX - 1))]) == {}


def test_long_module_is_found() -> None:
    assert lengths([Source("m", "x = 1\n" * (MODULE_LINES_MAX + 1))]) == {"m": 401}


def test_exception_that_grows_is_found() -> None:
    assert "72 are allowed" in check_lengths({"m:f": 73}, {"m:f": 72})[0]


def test_exception_that_shrank_must_lower_its_entry() -> None:
    assert "lower its entry" in check_lengths({"m:f": 71}, {"m:f": 72})[0]
    assert "lower its entry" in check_lengths({}, {"m:f": 72})[0]
