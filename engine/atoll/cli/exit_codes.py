"""What a script learns from the exit code alone. One table for every command; errors map to it by who must act."""

from __future__ import annotations

from enum import IntEnum

from atoll.errors import (
    AlreadyRunning,
    AtollError,
    CallerError,
    NodeFailed,
    NotRunning,
    OperatorError,
    OutcomeUnknown,
    PostgresFailed,
    Retryable,
    StaleRoute,
)


class ExitCode(IntEnum):
    """Stable for ever: scripts depend on these numbers."""

    OK = 0
    NO = 1
    BAD_INPUT = 2
    UNKNOWN = 3
    WRONG_STATE = 4
    INTERNAL = 70
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done, or yes",
    ExitCode.NO: "no: no such record, regions differ, something is down, a promise was broken",
    ExitCode.BAD_INPUT: "bad input or configuration, nothing was changed",
    ExitCode.UNKNOWN: "no answer in time, or an outcome or a verdict is unknown",
    ExitCode.WRONG_STATE: "no ring is running here, or one already is",
    ExitCode.INTERNAL: "a defect in atoll",
    ExitCode.INTERRUPTED: "interrupted",
}


def exit_code_of(error: AtollError) -> ExitCode:
    """The exit code for an error, by who must act."""
    match error:
        case NotRunning() | AlreadyRunning():
            return ExitCode.WRONG_STATE
        case PostgresFailed() | NodeFailed():
            return ExitCode.NO
        case CallerError() | OperatorError():
            return ExitCode.BAD_INPUT
        case Retryable() | OutcomeUnknown() | StaleRoute():
            return ExitCode.UNKNOWN
        case _:
            return ExitCode.NO
