"""The key that sessions are signed with: a file that only the owner reads, so that a restart ends no session."""

from __future__ import annotations

import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path

_log = logging.getLogger(__name__)

KEY_BYTES = 32
_OTHERS = 0o077


def session_key(folder: Path) -> bytes:
    """From `dashboard.key` in the folder, made when missing; of this process alone where it can't be kept."""
    path = folder / "dashboard.key"
    try:
        return _kept(path) or _made(path)
    except OSError as error:
        _log.info("%s can't be kept, so a restart of these pages ends all sessions: %s", path, error)
        return secrets.token_bytes(KEY_BYTES)


def _kept(path: Path) -> bytes | None:
    """None for one that is missing, torn, or that others could have read."""
    try:
        with path.open("rb") as file:
            shared = os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS
            key = file.read(KEY_BYTES + 1)
    except FileNotFoundError:
        return None
    return None if shared or len(key) != KEY_BYTES else key


def _made(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink()
    return _kept(path) or key  # that of another process that made one in the same moment
