"""Segments of JSON lines that survive kills, full disks and power cuts."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storage.lock import FolderInUseError
    from storage.manifest import StoreFormatError
    from storage.state import State, StateError
    from storage.store import Store, Stored, StoreError, StoreStatistics

__all__ = [
    "FolderInUseError",
    "State",
    "StateError",
    "Store",
    "StoreError",
    "StoreFormatError",
    "StoreStatistics",
    "Stored",
]
_MODULES = {
    "FolderInUseError": "storage.lock",
    "State": "storage.state",
    "StateError": "storage.state",
    "Store": "storage.store",
    "StoreError": "storage.store",
    "StoreFormatError": "storage.manifest",
    "StoreStatistics": "storage.store",
    "Stored": "storage.store",
}


def __getattr__(name: str) -> Any:
    # Commands that only read need neither the writer nor SQLite, and should start at once.
    if name not in _MODULES:
        raise AttributeError(f"module 'storage' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
