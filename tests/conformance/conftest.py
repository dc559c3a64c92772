from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sidecar import Sidecar

MIB = 2**20


@pytest.fixture(scope="session")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """A collector as it comes."""
    with Sidecar(tmp_path_factory.mktemp("default")) as running:
        yield running


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """A collector that takes 1 MiB a request, 4 MiB in flight, 100 records of 2 KiB."""
    protocols = {"grpc": {"max_recv_msg_size_mib": 1}, "http": {"max_request_body_size": "1MiB"}}
    configuration = {
        "receivers": {"otlp": {"protocols": protocols}},
        "processors": {
            "memory_limiter": {"limit_mib": 4},
            "limits": {"records_per_request": 100, "record_bytes": "2KiB"},
        },
    }
    with Sidecar(tmp_path_factory.mktemp("small"), configuration) as running:
        yield running
