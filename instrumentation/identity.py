"""Who: users and sessions under names that tell two of them apart and nobody who they are."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

logger = logging.getLogger("forecourt")

_KEY_BYTES = 32
_HEX_DIGITS = 16
_MEMO_ENTRIES = 4096


class Hasher:
    """HMAC-SHA256 under the key of this installation, cut to 64 bits; remembers what it was asked in bounded memory."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._memo: dict[str, str] = {}

    def hash(self, text: str) -> str:
        known = self._memo.get(text)
        if known is None:
            known = hmac.digest(self._key, text.encode("utf-8", "replace"), hashlib.sha256).hex()[:_HEX_DIGITS]
            if len(self._memo) >= _MEMO_ENTRIES:
                self._memo.clear()
            self._memo[text] = known
        return known

    def e_mail(self, address: str) -> str:
        """Case does not tell two addresses apart."""
        return f"email:{self.hash(address.lower())}"

    def user(self, name: str) -> str:
        return self.e_mail(name) if "@" in name else self.hash(name)


def hash_key(environ: Mapping[str, str], folder: Path) -> bytes:
    """From FORECOURT_HASH_KEY, else a file that only this user reads and all workers share.

    Where no file can be written, a key of this process alone: hashes then differ between workers, which is reported.
    """
    if given := environ.get("FORECOURT_HASH_KEY"):
        return given.encode()
    path = folder / "hash-key"
    try:
        return _shared_key(path)
    except OSError as error:
        logger.warning("%s can't be kept, so hashed users differ between processes: %s", path, error)
        return secrets.token_bytes(_KEY_BYTES)


def _shared_key(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_hex(_KEY_BYTES).encode())
        try:
            os.link(unfinished, path)  # never over the key that another worker made meanwhile
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
    key = path.read_bytes().strip()
    if len(key) < _KEY_BYTES:
        message = f"{path} holds no key of at least {_KEY_BYTES} bytes; delete it and a new one is made"
        raise OSError(message)
    return key
