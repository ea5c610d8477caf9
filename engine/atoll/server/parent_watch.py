"""A child that cannot outlive its parent, however the parent ends.

On Linux the kernel sends SIGKILL at the parent's death; a node may be killed at any moment by design. Elsewhere a
thread looks twice a second whether the parent has changed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.5


def die_with_parent(parent: int) -> None:
    """Tie this process to ``parent``, the process that spawned it from its main thread; exit if it is gone already.

    The kernel watches the parent's spawning *thread*, which is why that must be its main thread.
    """
    if sys.platform == "linux":
        library = ctypes.CDLL(None, use_errno=True)
        if library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    else:
        threading.Thread(target=_look, args=(parent,), name="parent watch", daemon=True).start()
    if os.getppid() != parent:  # it died before the call above, which then came too late
        os._exit(1)


def _look(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)
