"""Become a Postgres program that is not root and does not outlive its parent.

Run alone, as ``python -I -S guard.py ORDER PROGRAM ARGUMENT…``; it imports nothing of Atoll, so that it starts in
milliseconds, and it ends in ``execv``, so that the process the launcher spawned *is* Postgres. A fork hook in the
launcher would do the same, but libraries with threads (gRPC) forbid those.

``ORDER`` is JSON: ``parent`` (process id of the launcher), ``identity`` (``auto``, ``namespace`` or ``account``) and
``owned`` (paths that the program must own). It does, in this order:

1. As root, which Postgres refuses: enter a user namespace where root looks like an ordinary user (nothing changes
   hands on disk); where the kernel forbids it, give ``owned`` to ``postgres`` or ``nobody`` and become that account.
2. On Linux: ask for SIGINT, a fast shutdown, when the parent's spawning *thread* dies, however it dies. This comes
   after step 1 because a change of identity clears the request.
3. Replace itself by the program.

It fails with exit code 125 and one sentence on standard error, which is the server's log.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, NoReturn

ON_LINUX = sys.platform == "linux"
EXIT_CODE = 125
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
ACCOUNTS = ("postgres", "nobody")


def fail(sentence: str) -> NoReturn:
    """Say why the program cannot be run, and end."""
    sys.stderr.write(f"launcher: {sentence}\n")
    sys.stderr.flush()
    os._exit(EXIT_CODE)


def system_calls() -> Any:
    """The C library, for the calls that Python lacks; loaded while Python's own files can still be read."""
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def ordinary_account() -> tuple[str, int, int]:
    """Name, user id and group id of the account to become; Postgres wants one that the machine knows by name."""
    import pwd

    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return name, entry.pw_uid, entry.pw_gid
    return fail("running as root, and this machine has neither an account 'postgres' nor 'nobody' to run Postgres as")


def enter_user_namespace(library: Any, user: int, group: int) -> bool:
    """Look like ``user`` to this process and its children while staying root on disk; False when forbidden."""
    outer_user, outer_group = os.geteuid(), os.getegid()
    if library.unshare(CLONE_NEWUSER) != 0:
        return False
    maps = (("setgroups", "deny"), ("uid_map", f"{user} {outer_user} 1"), ("gid_map", f"{group} {outer_group} 1"))
    try:
        for name, text in maps:
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    except OSError:
        return False
    return os.geteuid() == user and os.getegid() == group


def namespace_is_allowed(library: Any, user: int, group: int) -> bool:
    """Try it in a child first: a namespace entered half-way cannot be left again."""
    if not ON_LINUX:
        return False
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if enter_user_namespace(library, user, group) else 1)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def give(paths: list[str], user: int, group: int) -> None:
    """Make ``user`` the owner of each path and all below it, unless it already owns the top."""
    for top in paths:
        if not os.path.lexists(top) or os.lstat(top).st_uid == user:
            continue
        for folder, folders, files in os.walk(top):
            for name in (*folders, *files):
                os.lchown(os.path.join(folder, name), user, group)
        os.lchown(top, user, group)


def become_account(name: str, user: int, group: int, program: str, owned: list[str]) -> None:
    """Give up root for good, then check that the account can read what it needs."""
    try:
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    except OSError as error:
        fail(f"running as root, and neither a user namespace nor the account {name!r} may be used here ({error})")
    for path, mode in ((program, os.X_OK), *((path, os.R_OK) for path in owned)):
        if not os.access(path, mode):
            fail(
                f"running as root, so Postgres runs as {name!r}, which cannot reach {path}: "
                "open its parent directories to others, or run as an ordinary user"
            )


def leave_root(library: Any, identity: str, program: str, owned: list[str]) -> None:
    """Be anybody but root; see the module's first lines for the order."""
    name, user, group = ordinary_account()
    if identity != "account" and namespace_is_allowed(library, user, group):
        give(owned, os.geteuid(), os.getegid())
        if not enter_user_namespace(library, user, group):
            fail("a user namespace was allowed a moment ago and is refused now; start again")
    elif identity == "namespace":
        fail("running as root, and this kernel or container does not allow user namespaces")
    else:
        give(owned, user, group)
        become_account(name, user, group, program, owned)


def die_with(library: Any, parent: int) -> None:
    """Ask the kernel for SIGINT at the parent's death, and notice a parent that died before the question."""
    if library.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0) != 0:
        fail("the kernel refused to watch the parent process (PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        fail("the process that asked for this server is gone")


def main(arguments: list[str]) -> None:
    order: dict[str, Any] = json.loads(arguments[0])
    command = arguments[1:]
    library = system_calls() if ON_LINUX else None
    os.chdir("/")
    os.umask(0o077)
    if os.geteuid() == 0:
        leave_root(library, order["identity"], command[0], order["owned"])
    if ON_LINUX:
        die_with(library, order["parent"])
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execv(command[0], command)
    except OSError as error:
        fail(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
