from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

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


def test_two_exporters_that_send_the_same_to_the_same_are_said(tmp_path: Path) -> None:
    """A name that was changed and left; not two tenants of one viewer, nor two signals."""
    text = """
exporters:
  otlp_http/one: {endpoint: "https://viewer.example.com", headers: {X-Scope-OrgID: a}}
  otlphttp/old: {traces_endpoint: "https://viewer.example.com/v1/traces", headers: {x-scope-orgid: a}}
  otlp_http/tenant: {endpoint: "https://viewer.example.com", headers: {X-Scope-OrgID: b}}
  otlp_grpc/two: {endpoint: "viewer.example.com:4317"}
  otlp/three: {endpoint: "https://viewer.example.com:4317"}
service:
  pipelines:
    traces: {exporters: [jsonl, otlp_http/one, otlphttp/old, otlp_http/tenant, otlp_grpc/two]}
    metrics: {}
    logs: {exporters: [jsonl, otlp/three]}
"""
    path = tmp_path / "otel-config.yaml"
    path.write_text(text)
    where = "https://viewer.example.com/v1/traces"
    assert load(path, {}).warnings == (
        f"exporters.otlphttp/old: sends traces to {where}, as exporters.otlp_http/one does: they arrive twice there",
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


def test_a_key_that_is_not_the_certificates_is_refused(tmp_path: Path) -> None:
    """Another one's, one with a password, and what is none: sending would fail at every handshake."""
    authority = trustme.CA()
    own, other = (authority.issue_cert(f"{name}@example.com") for name in ("own", "other"))
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "own.pem"))
    private = serialization.load_pem_private_key(own.private_key_pem.bytes(), None)
    locked = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    pair = "{cert_file: own.pem, key_file: key.pem}"
    path = _written(tmp_path, f'exporters: {{otlp_http/one: {{endpoint: "https://viewer.example.com", tls: {pair}}}}}')
    for key in (other.private_key_pem.bytes(), locked, b"none"):
        (tmp_path / "key.pem").write_bytes(key)
        with pytest.raises(
            ConfigurationError, match=r"exporters\.otlp_http/one\.tls: key_file '.*key\.pem' is not the key"
        ):
            load(path, {})
    (tmp_path / "key.pem").write_bytes(own.private_key_pem.bytes())
    assert load(path, {}).warnings == ()
