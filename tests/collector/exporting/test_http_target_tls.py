"""OTLP/HTTP over TLS: whom it trusts, what it shows, and how long it waits."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import trustme

from collector.exporting.target import Failure, Taken
from tests.collector.exporting.test_http_target import BODY, refused, target
from tests.support.hostile_receiver import http_answer, http_drip, http_hang, scripted_http


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls_of(authority: trustme.CA, folder: Path, *names: str, client: bool = False) -> ssl.SSLContext:
    """The server's, asking for a certificate if `client`; below `folder` what the client may configure."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    shown = authority.issue_cert("forecourt@example.test")
    shown.private_key_pem.write_to_path(folder / "key.pem")
    shown.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    if client:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_a_certificate_is_trusted_by_its_authority(authority: trustme.CA, tmp_path: Path) -> None:
    """Not without, not under another name; under that of server_name_override, or unseen where the operator says so."""
    with scripted_http(tls=tls_of(authority, tmp_path, "viewer.test")) as server:
        ca = {"ca_file": str(tmp_path / "ca.pem")}
        with target(server.url) as sending:
            failure, _, message = refused(sending)
            assert (failure, message.startswith("no trust between")) == (Failure.AGAIN, True)
            assert message.endswith(": unable to get local issuer certificate")
        with target(server.url, tls=ca) as sending:
            assert "IP address mismatch" in refused(sending)[2]
        for tls in ({**ca, "server_name_override": "viewer.test"}, {"insecure_skip_verify": True}):
            with target(server.url, tls=tls) as sending:
                assert sending.send("traces", BODY) == Taken()
    assert len(server.received) == 2


def test_a_receiver_may_ask_for_our_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    """It is shown where it is configured; its time is kept over TLS too, and a missing file is named."""
    ca = {"ca_file": str(tmp_path / "ca.pem")}
    context = tls_of(authority, tmp_path, "127.0.0.1", client=True)
    shown = {**ca, "cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
    with scripted_http([http_answer(), http_drip(), http_hang()], tls=context) as server:
        with target(server.url, tls=ca) as sending:
            assert refused(sending)[0] is Failure.AGAIN
        assert server.received == []
        with target(server.url, tls=shown, timeout="400ms") as sending:
            assert sending.send("traces", BODY) == Taken()
            late = (Failure.AGAIN, None, f"{server.url}/v1/traces did not answer within 0.4 s")
            assert [refused(sending) for _ in range(2)] == [late, late]
            assert sending.send("traces", BODY) == Taken()
        with target(server.url, tls=shown) as sending:
            (tmp_path / "cert.pem").unlink()
            failure, _, message = refused(sending)
        assert failure is Failure.REFUSED
        assert message.startswith(f"nothing was sent to {server.url}/v1/traces: ")
        assert str(tmp_path / "cert.pem") in message


def test_a_handshake_that_never_ends_is_not_waited_for() -> None:
    """A port that takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with target(url, timeout="200ms") as sending:
            assert refused(sending) == (Failure.AGAIN, None, f"{url}/v1/traces did not answer within 0.2 s")
