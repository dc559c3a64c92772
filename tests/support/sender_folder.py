"""A store's folder with an exporter, and its sender's thread against any target."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from collector.exporting.sender import Forwarded, Sender
from collector.exporting.settings import OtlpHttpSettings
from collector.exporting.target import Target
from storage import State, exporter_rows
from storage.compression import compress
from storage.exporter_rows import ExporterRow, Wanted
from storage.names import OWN_FOLDER
from tests.support.scripted_target import span

KEY = ("otlp_http/viewer", "traces")
NOW = 1_795_435_200 * 10**9
QUICK = {"initial_interval": "2ms", "max_interval": "2ms"}
LONGEST_SECONDS = 20.0


def until(holds: Callable[[], object]) -> None:
    ends = time.monotonic() + LONGEST_SECONDS
    while not holds():
        assert time.monotonic() < ends, "it does not come"
        time.sleep(0.002)


class Folder:
    """A store's folder and an exporter that sends all of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stream = path / "traces"
        self.stream.mkdir()
        (path / OWN_FOLDER).mkdir()
        self.state = State.open(path / OWN_FOLDER / "state.db")
        self.register(KEY)

    def register(self, *keys: tuple[str, str]) -> None:
        exporter_rows.register(self.state, dict.fromkeys(keys, Wanted(from_beginning=True, queue_bytes=0)), {})

    def put(self, segment: str, *lines: bytes) -> Path:
        path = self.stream / segment
        with path.open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))
        return path

    def spans(self, segment: str, *numbers: int) -> Path:
        return self.put(segment, *map(span, numbers))

    def compress(self, segment: str) -> Path:
        plain = self.stream / segment
        packed = plain.with_name(f"{segment}.gz")
        compress(plain, packed, self.path / OWN_FOLDER, lambda: False)
        plain.unlink()
        return packed

    def sender(self, target: Target, stopping: threading.Event | None = None, **given: Any) -> Sender:
        settings = {"endpoint": "http://127.0.0.1:14318", "retry_on_failure": QUICK, **given}
        forwarded = Forwarded(*KEY, self.path)
        made = OtlpHttpSettings.model_validate(settings)
        return Sender(forwarded, made, target, stopping or threading.Event(), lambda: NOW)

    @contextmanager
    def sending(self, target: Target, **given: Any) -> Iterator[Sender]:
        stopping = threading.Event()
        running = self.sender(target, stopping, **given)
        running.start()
        try:
            yield running
        finally:
            stopping.set()
            running.join(LONGEST_SECONDS)
            assert not running.is_alive()

    def row(self) -> ExporterRow:
        (row,) = exporter_rows.rows(self.state)
        return row

    def idle(self) -> bool:
        """Whether it was looked, and nothing waits."""
        row = self.row()
        return bool(row.looked_unix_nano) and not row.waiting_bytes and row.sent_records + row.set_aside_records > 0

    def send_all(self, target: Target, **given: Any) -> ExporterRow:
        """All there is; how the exporter fared."""
        with self.sending(target, **given):
            until(self.idle)
        return self.row()._replace(looked_unix_nano=0, queue_bytes=0)
