"""The simulator's own bounds, each with what happens when it is too small or too large."""

from __future__ import annotations

from typing import Final

ANSWER_GRACE_SECONDS: Final = 5.0
"""After an operation's timeout, how long a client waits for the error that has to come. Smaller: an answer on its way
is taken for one that never comes. Larger: a client that hangs does less of its plan."""

MEETING_SECONDS_MAX: Final = 30.0
"""How long the nodes may take until all of them serve. Smaller: slow disks make a false alarm."""

SAMPLE_SECONDS: Final = 0.25
"""Simulated time between two looks at the whole ring. Smaller: slower runs. Larger: short peaks are missed."""

SENTENCES_MAX: Final = 10
"""Findings of one kind that are told one by one. Larger: reports nobody reads."""
