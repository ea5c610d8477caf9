"""The key that signs session tokens: given in the configuration, or 32 random bytes in a file of its own.

All nodes of a ring must have the same key: on one machine they share the state directory; elsewhere the operator
gives them one by ``ATOLL_TOKEN_KEY`` or a mounted file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from atoll.configuration.configuration import Configuration
from atoll.errors import InvalidConfiguration

KEY_BYTES = 32


def read_token_key(configuration: Configuration) -> bytes:
    """The key; raises :class:`InvalidConfiguration` when there is none or its file holds something else."""
    if configuration.settings.token_key is not None:
        return bytes.fromhex(configuration.settings.token_key)
    file = configuration.token_key_file
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        raise InvalidConfiguration(
            f"{configuration.file}: token_key_file: {file} does not exist; `atoll up` makes it, or give token_key"
        ) from None
    except (OSError, ValueError) as error:
        raise InvalidConfiguration(f"{configuration.file}: token_key_file: {file} cannot be read: {error}") from error
    if len(key) != KEY_BYTES:
        raise InvalidConfiguration(
            f"{configuration.file}: token_key_file: {file} holds {len(key)} bytes, {KEY_BYTES} are needed (64 digits)"
        )
    return key


def ensure_token_key(configuration: Configuration) -> bytes:
    """The key; makes its file, private to this user, if it is to be in one and there is none. Idempotent."""
    if configuration.settings.token_key is None and not configuration.token_key_file.exists():
        _create(configuration.token_key_file)
    return read_token_key(configuration)


def _create(file: Path) -> None:
    """Write beside the file, then link into place: whoever comes second keeps the first one's key, whole."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(secrets.token_hex(KEY_BYTES) + "\n")
    with contextlib.suppress(FileExistsError):
        os.link(partial, file)
    partial.unlink()
