"""How the command line speaks: rich for people, one JSON value on standard output for scripts.

With ``--json`` nothing but that value reaches standard output, an error included. Progress bars and colours appear
only on a terminal; messages about what happens go to standard error, answers to standard output.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Coroutine, Iterator, Mapping, Set
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import orjson
from rich.console import Console
from rich.markup import escape

from atoll.errors import AtollError

T = TypeVar("T")

answers = Console(highlight=False)
"""Standard output: what was asked for."""

notes = Console(stderr=True, highlight=False)
"""Standard error: what goes on."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work on an event loop of its own."""
    return asyncio.run(work)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Say on a terminal what takes its time; nothing elsewhere."""
    if not notes.is_terminal:
        yield
        return
    with notes.status(what):
        yield


def print_json(value: Any) -> None:
    """One JSON value on standard output, indented, with a final newline."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
    sys.stdout.write(orjson.dumps(value, default=plain, option=options).decode())
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """JSON for what JSON lacks: sets as sorted lists, decimals and dates as text, bytes as base64."""
    match value:
        case Mapping():
            return dict(value)
        case Set():
            return sorted(value, key=lambda element: (type(element).__name__, element))
        case Decimal() | UUID():
            return str(value)
        case datetime() | date():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
    raise TypeError(f"no JSON for {type(value).__name__}")


def report_error(error: AtollError, *, as_json: bool) -> None:
    """Say what went wrong: for people on standard error, for scripts as JSON on standard output."""
    report(error.code, error.message, as_json=as_json)


def report(code: str, message: str, *, as_json: bool) -> None:
    """:func:`report_error` for what is no :class:`AtollError`. A terminal gets its lines broken between words; a pipe
    gets them whole."""
    if as_json:
        print_json({"error": {"code": code, "message": message or code}})
        return
    said = f": {escape(message)}" if message else ""
    notes.print(f"[bold red]{code.replace('_', ' ')}[/]{said}", soft_wrap=not notes.is_terminal)
