from __future__ import annotations

from contextlib import closing

import pytest

from collector.exporting.grpc_target import GrpcTarget
from collector.exporting.http_target import HttpTarget
from collector.exporting.settings import OtlpGrpcSettings, OtlpHttpSettings
from collector.exporting.target import Failure, SendError, Target
from tests.support.hostile_receiver import scripted_grpc, scripted_http
from tests.support.otlp import trace_request


def _refused(target: Target) -> tuple[Failure, str]:
    with closing(target), pytest.raises(SendError) as caught:
        target.send("traces", trace_request([1]))
    return caught.value.failure, str(caught.value)


def test_tls_to_a_receiver_without_it_says_what_to_set() -> None:
    """What OpenSSL says of it tells nobody that a word is missing in the configuration."""
    with scripted_http() as server:
        url = server.url.replace("http:", "https:")
        told = f"{url}/v1/traces speaks no TLS: begin the address with http:// if that is meant"
        assert _refused(HttpTarget(OtlpHttpSettings(endpoint=url))) == (Failure.AGAIN, told)
    with scripted_grpc() as server:
        told = f"{server.endpoint} speaks no TLS: set tls: {{insecure: true}} if that is meant"
        assert _refused(GrpcTarget(OtlpGrpcSettings(endpoint=server.endpoint))) == (Failure.AGAIN, told)


def test_grpc_to_a_port_of_http_says_so() -> None:
    """The two ports of a receiver are easily taken for each other."""
    with scripted_http() as server:
        told = f"{server.endpoint} speaks no gRPC: name its port for gRPC, or use otlp_http"
        settings = OtlpGrpcSettings.model_validate({"endpoint": server.endpoint, "tls": {"insecure": True}})
        assert _refused(GrpcTarget(settings)) == (Failure.AGAIN, told)


def test_http_to_a_port_of_grpc_says_so() -> None:
    """The other way round."""
    with scripted_grpc() as server:
        url = f"http://{server.endpoint}"
        told = f"{url}/v1/traces speaks gRPC: name its port for HTTP, or use otlp_grpc"
        assert _refused(HttpTarget(OtlpHttpSettings(endpoint=url))) == (Failure.AGAIN, told)
