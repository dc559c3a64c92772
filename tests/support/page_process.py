"""The pages over a folder in a process of their own, with a clock that stands where the test wants it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.conftest import ROOT

_START_SECONDS = 60.0


class PageProcess:
    """Serves from entry to exit, at `address`."""

    def __init__(self, folder: Path, now_unix_nano: int) -> None:
        self._command = [sys.executable, "-m", "tests.support.page_process", str(folder), str(now_unix_nano)]
        self.address = ""

    def __enter__(self) -> Self:
        # Coverage stays out of it: it makes every page twice as slow, and tests of the pages themselves have it.
        untraced = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=untraced)
        watchdog = threading.Timer(_START_SECONDS, self._process.kill)
        watchdog.start()
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        watchdog.cancel()
        assert self.address, "the pages did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)


def _serve(folder: Path, now_unix_nano: int) -> None:
    from dashboard.site import Site  # noqa: PLC0415  # for the process that serves
    from operations.event_loop import run_on_loop  # noqa: PLC0415
    from operations.page_server import PageServer, listen_all  # noqa: PLC0415

    def ready(addresses: Mapping[str, str]) -> None:
        print(addresses["dashboard"], flush=True)  # noqa: T201  # who has started it reads it

    async def serve() -> None:
        site = Site(folder, None, clock=lambda: now_unix_nano)
        await PageServer(site).serve(listen_all({"dashboard": "127.0.0.1:0"}), ready)

    run_on_loop(serve())


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
