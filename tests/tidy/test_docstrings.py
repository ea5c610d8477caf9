"""Every module says its one idea first, and every package is one: a folder with an ``__init__`` that says so."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from tests.tidy.source import Source, engine_sources, test_sources


def check_docstrings(sources: Iterable[Source]) -> list[str]:
    """Complaints about modules that do not begin with a docstring."""
    return [
        f"{source.module}: begin with a docstring that says the module's one idea"
        for source in sources
        if not (ast.get_docstring(source.tree) or "").strip()
    ]


def check_packages(sources: Iterable[Source]) -> list[str]:
    """Complaints about folders with modules and without an ``__init__``."""
    listed = list(sources)
    packages = {source.module for source in listed if source.is_package}
    parents = {source.module.rpartition(".")[0] for source in listed} - {""}
    return [f"{parent}: add an __init__.py with a docstring" for parent in sorted(parents - packages)]


def test_every_module_has_a_docstring() -> None:
    complaints = check_docstrings([*engine_sources(), *test_sources()])
    assert not complaints, "\n".join(complaints)


def test_every_folder_of_the_engine_is_a_package() -> None:
    complaints = check_packages(engine_sources())
    assert not complaints, "\n".join(complaints)


def test_module_without_a_docstring_is_found() -> None:
    assert check_docstrings([Source("m", "x = 1"), Source("n", '"""  """'), Source("o", '"""An idea."""')]) == [
        "m: begin with a docstring that says the module's one idea",
        "n: begin with a docstring that says the module's one idea",
    ]


def test_folder_without_an_init_is_found() -> None:
    sources = [Source("p", "", is_package=True), Source("p.a", ""), Source("p.q.b", "")]
    assert check_packages(sources) == ["p.q: add an __init__.py with a docstring"]
