from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.exporting import progress, sender
from tests.support.sender_folder import Folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """Its senders look and try again at once."""
    for module, name in ((sender, "_IDLE"), (sender, "_FAULT"), (progress, "_FAULT"), (progress, "_LOOK")):
        monkeypatch.setattr(module, f"{name}_SECONDS", 0.005)
    made = Folder(tmp_path)
    with closing(made.state):
        yield made
