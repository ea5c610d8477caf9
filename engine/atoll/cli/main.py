"""The console script. It loads nothing before it can answer an interrupt, for loading takes a moment."""

from __future__ import annotations

import sys

_INTERRUPTED = 130
"""``ExitCode.INTERRUPTED``, which may not be loaded yet."""


def main() -> None:
    """Exits with a code of :class:`~atoll.cli.exit_codes.ExitCode`."""
    try:
        from atoll.cli.application import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = _INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
