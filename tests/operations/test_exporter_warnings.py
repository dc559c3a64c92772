from __future__ import annotations

from pathlib import Path

import pytest

from operations.configuration import load
from operations.settings_file import ConfigurationError

_PIPELINES = """
service:
  pipelines:
    traces: {exporters: [jsonl, otlp_http/one]}
    metrics: {}
    logs: {}
"""


def _written(folder: Path, exporters: str) -> Path:
    path = folder / "otel-config.yaml"
    path.write_text(exporters + _PIPELINES)
    return path


def test_an_exporter_that_can_hardly_be_meant_so_is_said(tmp_path: Path) -> None:
    """In no pipeline, with a signal's path in the address of all, and with a header that what is sent decides."""
    text = """
exporters:
  otlp_http/one: {endpoint: "https://viewer.example.com/v1/traces/", headers: {Content-Type: text/plain, x-team: a}}
  otlp_grpc/two: {endpoint: "viewer.example.com:4317"}
  otlp_http/three: {traces_endpoint: "https://viewer.example.com/v1/traces"}
"""
    one, url = "otlp_http/one", "https://viewer.example.com"
    assert load(_written(tmp_path, text), {}).warnings == (
        f"exporters.{one}.endpoint: /v1/traces is added to it. Give {url} as endpoint, or this as traces_endpoint",
        f"exporters.{one}.headers: Content-Type is set by what is sent and can't be changed",
        "exporters.otlp_grpc/two: no pipeline lists it, so nothing is sent there. See service.pipelines",
        "exporters.otlp_http/three: no pipeline lists it, so nothing is sent there. See service.pipelines",
    )


def test_a_pipeline_whose_exporter_has_no_address_for_it_is_refused(tmp_path: Path) -> None:
    """It would set everything aside."""
    path = _written(tmp_path, 'exporters: {otlp_http/one: {logs_endpoint: "https://viewer.example.com/v1/logs"}}')
    with pytest.raises(ConfigurationError) as refused:
        load(path, {})
    assert str(refused.value) == (
        f"{path}:4:25: service.pipelines.traces.exporters: otlp_http/one has no address for traces. "
        "Give it an endpoint or traces_endpoint, or leave it out here"
    )
