"""Segments of JSON lines that survive kills, full disks and power cuts."""

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
