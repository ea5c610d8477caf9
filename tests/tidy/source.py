"""Python files as the checks see them: a module's name, its text, its tree, and what its names stand for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "engine"


@dataclass(frozen=True)
class Source:
    """One module. A check takes sources and returns complaints, so that a test can plant a violation."""

    module: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Every import anywhere in the module, as (line, dotted name); ``from a import b`` is ``a.b``."""
        found: list[tuple[int, str]] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [(node.lineno, f"{self._base(node)}.{alias.name}") for alias in node.names]
        return found

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Local name to the dotted name it was imported as."""
        names: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names |= {
                    a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                    for a in node.names
                }
            elif isinstance(node, ast.ImportFrom):
                names |= {a.asname or a.name: f"{self._base(node)}.{a.name}" for a in node.names}
        return names

    def resolve(self, node: ast.AST) -> str | None:
        """The dotted name that an expression of names and attributes stands for, if its root was imported."""
        match node:
            case ast.Name(id=name):
                return self.aliases.get(name)
            case ast.Attribute(value=value, attr=attribute):
                base = self.resolve(value)
                return base and f"{base}.{attribute}"
            case ast.Call(func=function):
                base = self.resolve(function)
                return base and f"{base}()"
        return None

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.module.split(".") if self.is_package else self.module.split(".")[:-1]
        kept = package[: len(package) - node.level + 1]
        return ".".join([*kept, node.module] if node.module else kept)


def read(file: Path, base: Path) -> Source:
    """The source in ``file``, named relative to ``base``."""
    parts = list(file.relative_to(base).with_suffix("").parts)
    is_package = parts[-1] == "__init__"
    return Source(".".join(parts[:-1] if is_package else parts), file.read_text(encoding="utf-8"), is_package)


def engine_sources() -> list[Source]:
    """Every module of the package but the generated ones."""
    files = sorted((ENGINE / "atoll").rglob("*.py"))
    return [read(file, ENGINE) for file in files if "wire" not in file.relative_to(ENGINE).parts]


def test_sources() -> list[Source]:
    """Every module of the tests and the benchmarks."""
    return [read(file, ROOT) for folder in ("tests", "benchmarks") for file in sorted((ROOT / folder).rglob("*.py"))]


test_sources.__test__ = False  # type: ignore[attr-defined]


def is_within(module: str, package: str) -> bool:
    """Whether ``module`` is ``package`` or lies in it."""
    return module == package or module.startswith(package + ".")


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its dotted name inside the module."""

    def walk(node: ast.AST, path: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}{child.name}", child
            named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            yield from walk(child, f"{path}{child.name}." if named else path)

    return walk(tree, "")
