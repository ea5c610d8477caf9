"""Writes the little of TOML that scenarios need; what it writes, ``tomllib`` reads back as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_value(value: Any) -> str:
    """A value in one line. Raises ``TypeError`` for what TOML has no word for; ``None`` is one of these."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case Mapping():
            inner = ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return f"[{', '.join(toml_value(item) for item in value)}]"
        case _:
            raise TypeError(f"a scenario cannot hold {value!r}, which is a {type(value).__name__}")


def toml_key(key: str) -> str:
    """A key, quoted where it has to be."""
    return key if _BARE.fullmatch(key) else _text(key)


def toml_table(path: Sequence[str], entries: Mapping[str, Any], *, of_array: bool = False) -> Iterator[str]:
    """The lines of one table; entries that are ``None`` are left out."""
    name = ".".join(toml_key(part) for part in path)
    yield f"[[{name}]]" if of_array else f"[{name}]"
    for key, value in entries.items():
        if value is not None:
            yield f"{toml_key(key)} = {toml_value(value)}"
    yield ""


def _text(value: str) -> str:
    """JSON's escapes are TOML's, but for DEL, which JSON leaves as it is."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
