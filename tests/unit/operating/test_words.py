"""Figures as people read them."""

from __future__ import annotations

import pytest

from atoll.operating.words import bytes_text, seconds_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "–"), (0.0004, "0.4 ms"), (0.0231, "23 ms"), (1.44, "1.4 s"), (125, "2 min 5 s")],
)
def test_seconds_are_short(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1200, "1.2 kB"), (34_000_000, "34 MB"), (5e12, "5000 GB")]
)
def test_bytes_are_short(size: float, text: str) -> None:
    assert bytes_text(size) == text
