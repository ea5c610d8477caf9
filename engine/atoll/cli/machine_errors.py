"""What the machine refuses (access, space) is for its operator to mend, not a defect of the program."""

from __future__ import annotations

import errno
import os

from atoll.errors import OperatorError

_ACCESS = (
    "run atoll as the owner, or in a directory that you may write to (`state_directory` in atoll.toml says where a "
    "ring keeps its files)"
)
_SPACE = "free some, or set `state_directory` in atoll.toml to a disk that has room"

_FIXES = {
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EROFS: _ACCESS,
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
}


def as_operator_error(error: OSError) -> OperatorError | None:
    """The error in one line that names the path and the fix; ``None`` for an error that nobody can mend so."""
    fix = _FIXES.get(error.errno or 0)
    if fix is None:
        return None
    path = error.filename if error.filename is not None else os.getcwd()
    what = (error.strerror or str(error)).lower()
    return OperatorError(f"{os.fsdecode(path) if isinstance(path, (str, bytes)) else path}: {what}; {fix}")
