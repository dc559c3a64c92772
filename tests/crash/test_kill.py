from __future__ import annotations

import http.client
import itertools
import random
import threading
from pathlib import Path

import pytest

from tests.support.otlp import PROTOBUF, span_id, trace_request
from tests.support.sidecar import Sidecar

pytestmark = pytest.mark.untraced

CLIENTS = 4
SPANS = 20


class Client(threading.Thread):
    """Sends request after request over one connection and notes what was acknowledged, until it breaks."""

    def __init__(self, sidecar: Sidecar, numbers: itertools.count[int]) -> None:
        super().__init__()
        self._sidecar = sidecar
        self._numbers = numbers
        self.acknowledged: list[str] = []

    def run(self) -> None:
        connection = self._sidecar.connect()
        try:
            while True:
                numbers = [next(self._numbers) for _ in range(SPANS)]
                connection.request("POST", "/v1/traces", trace_request(numbers), PROTOBUF)
                response = connection.getresponse()
                response.read()
                if response.status == http.client.OK:
                    self.acknowledged += [span_id(number) for number in numbers]
        except (OSError, http.client.HTTPException):
            connection.close()


def test_kill_at_random_moments_loses_nothing_acknowledged(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Whenever it is killed under load, every acknowledged id is in the files and every line parses."""
    chance = random.Random(20261123)  # noqa: S311  # moments, not secrets
    numbers = itertools.count()
    acknowledged: set[str] = set()
    sidecar = Sidecar(tmp_path)
    for _ in range(pytestconfig.getoption("--rounds")):
        sidecar.start()
        clients = [Client(sidecar, numbers) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        killer = threading.Timer(chance.uniform(0.02, 0.5), sidecar.process.kill)
        killer.start()
        for client in clients:
            client.join()
        sidecar.kill()
        acknowledged.update(*(client.acknowledged for client in clients))
    with sidecar:
        pass
    kept = {record["span_id"] for record in sidecar.records("traces")}
    assert len(acknowledged) > CLIENTS * SPANS
    assert acknowledged - kept == set()
