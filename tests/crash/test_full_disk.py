from __future__ import annotations

import json
import sys
from pathlib import Path

import grpc
import pytest

from tests.support.export import call, failure, post
from tests.support.otlp import span_id, trace_request
from tests.support.sidecar import Sidecar

pytestmark = [
    pytest.mark.untraced,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux sets the limits of another process"),
]


def _limit_files(sidecar: Sidecar, size: int) -> None:
    """Let no file of the collector grow beyond `size` bytes: its writes fail as on a full disk."""
    import resource  # noqa: PLC0415  # absent on Windows

    resource.prlimit(sidecar.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_disk_that_takes_no_more_answers_retry_later_until_it_does(tmp_path: Path) -> None:
    """Refusals on both ports and by the health check, no fragment in the file, and all is well when the fault goes."""
    import resource  # noqa: PLC0415  # as above

    with Sidecar(tmp_path) as sidecar:
        assert post(sidecar, trace_request([1])).code == 200
        (segment,) = (tmp_path / "logs" / "traces").iterdir()
        before = segment.read_bytes()
        _limit_files(sidecar, len(before) + 100)
        for _ in range(3):
            answer = post(sidecar, trace_request([2]))
            assert (answer.code, answer.headers["retry-after"] in {"1", "2"}) == (503, True)
            assert "File too large" in answer.status().message
            assert failure(sidecar, trace_request([2])).code() == grpc.StatusCode.UNAVAILABLE
        assert segment.read_bytes() == before
        health = sidecar.connect("health")
        health.request("GET", "/")
        response = health.getresponse()
        assert response.status == 503
        assert "the store refuses writes: [Errno 27] File too large" in json.loads(response.read())["reason"]
        health.close()
        _limit_files(sidecar, resource.RLIM_INFINITY)
        assert post(sidecar, trace_request([3])).code == 200
        assert call(sidecar, trace_request([4])) == b""
        assert json.loads(sidecar.get("health", "/"))["status"] == "Server available"
    kept = [record["span_id"] for record in sidecar.records("traces")]
    assert kept == [span_id(1), span_id(3), span_id(4)]


def test_a_deleted_folder_is_made_anew(tmp_path: Path) -> None:
    """Somebody removes the stream's folder under the running collector: what comes next is kept."""
    with Sidecar(tmp_path) as sidecar:
        assert post(sidecar, trace_request([1])).code == 200
        for path in (tmp_path / "logs" / "traces").iterdir():
            path.unlink()
        (tmp_path / "logs" / "traces").rmdir()
        assert post(sidecar, trace_request([2])).code == 200
    assert [record["span_id"] for record in sidecar.records("traces")] == [span_id(2)]
