from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage import Store
from tests.storage.records import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Store]]:
    """Open stores on one folder; those that a test leaves open are closed."""
    stores: list[Store] = []

    def open_store(**options: Any) -> Store:
        store = Store(tmp_path / "logs", **{"clock": clock, **options})
        store.open()
        stores.append(store)
        return store

    yield open_store
    for store in stores:
        store.close()
