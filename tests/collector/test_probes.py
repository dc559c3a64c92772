from __future__ import annotations

import http.server
import socket
import sqlite3
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import SecretStr

from collector.probes import Finding, HttpProbe, SqlProbe, TcpProbe, health_record
from collector.settings import HttpProbeSettings, SqlProbeSettings, TcpProbeSettings
from processors.observation import observe_probe
from tests.support.pages import wait_until
from tests.support.sidecar import Sidecar


class _Answer(http.server.BaseHTTPRequestHandler):
    """The status is the path; what was asked is noted."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        status = int(self.path.strip("/"))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/500")
        self.end_headers()
        self.wfile.write(b"status: all is well")

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def answering(context: ssl.SSLContext | None = None) -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    server.asked = []  # type: ignore[attr-defined]
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def look(server: Any, path: str, **settings: Any) -> Finding:
    endpoint = f"http://127.0.0.1:{server.server_port}{path}"
    return HttpProbe(HttpProbeSettings.model_validate({"name": "backend", "endpoint": endpoint, **settings})).look()


@pytest.mark.parametrize(
    ("path", "settings", "finding"),
    [
        ("/200", {}, Finding("up", "status 200")),
        ("/401", {}, Finding("up", "status 401")),
        ("/302", {}, Finding("up", "status 302")),
        ("/500", {}, Finding("down", "status 500")),
        ("/401", {"expected_status": [200]}, Finding("down", "status 401")),
        ("/503", {"expected_status": [503]}, Finding("up", "status 503")),
        ("/200", {"body": "all is (well|fine)"}, Finding("up", "status 200")),
        ("/200", {"body": "broken"}, Finding("down", "status 200, but the body does not match")),
    ],
)
def test_an_answer_below_500_is_up_unless_more_is_asked(path: str, settings: dict[str, Any], finding: Finding) -> None:
    """FossaWork's health route answers 401; a redirect is an answer."""
    with answering() as server:
        assert look(server, path, **settings) == finding


def test_it_says_who_it_is_and_sends_what_it_is_told() -> None:
    """So that its looks are left out of all indicators."""
    with answering() as server:
        look(server, "/200", headers={"Authorization": "Bearer token"})
        ((_, headers),) = server.asked
    assert (headers["User-Agent"], headers["Authorization"]) == ("forecourt-probe", "Bearer token")


def test_nobody_there_and_nobody_answering_are_down() -> None:
    """With a reason that a person can read, and within the timeout."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        settings = HttpProbeSettings.model_validate({"name": "x", "endpoint": endpoint, "timeout": "200ms"})
        refused = HttpProbe(settings).look()
        assert (refused.state, refused.detail) == ("down", "[Errno 111] Connection refused")
        silent.listen()
        waited = HttpProbe(settings).look()
    assert waited.state == "down"
    assert "timed out" in waited.detail


def test_a_certificate_tells_how_many_days_it_has_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And one that nobody vouches for is no answer."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with answering(context) as server:
        endpoint = f"https://localhost:{server.server_port}/200"
        settings = HttpProbeSettings.model_validate({"name": "shop", "endpoint": endpoint})
        assert "certificate verify failed" in HttpProbe(settings).look().detail
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        trusted = HttpProbe(settings).look()
    assert (trusted.state, trusted.detail) == ("up", "status 200")
    assert trusted.certificate_days is not None
    assert trusted.certificate_days > 1


def test_a_port_is_open_or_not() -> None:
    """Nothing is sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"127.0.0.1:{server.getsockname()[1]}"
        probe = TcpProbe(TcpProbeSettings(name="smtp", endpoint=endpoint))
        assert probe.look() == Finding("up", "accepts connections")
    assert probe.look() == Finding("down", "Connection refused")


def sql(path: Path, **settings: Any) -> SqlProbe:
    url = f"sqlite:///{path}"
    return SqlProbe(SqlProbeSettings.model_validate({"name": "db", "url": url, "timeout": "100ms", **settings}))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "work orders.db"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE orders (id INTEGER PRIMARY KEY, text TEXT)")
    connection.executemany("INSERT INTO orders (text) VALUES (?)", [("x" * 500,)] * 500)
    connection.commit()
    connection.close()
    return path


def test_a_database_that_answers_is_up_and_stays_as_it_is(database: Path) -> None:
    """It is only read, and nothing appears beside it."""
    before = database.read_bytes()
    assert sql(database).look() == Finding("up", "answers")
    assert database.read_bytes() == before
    assert list(database.parent.iterdir()) == [database]


def test_a_database_that_is_not_there_is_down_and_not_made(tmp_path: Path) -> None:
    """A wrong path must not leave an empty database behind."""
    assert sql(tmp_path / "none.db").look() == Finding("down", f"{tmp_path / 'none.db'} does not exist")
    assert list(tmp_path.iterdir()) == []


def test_a_locked_database_is_told_from_a_damaged_one(database: Path) -> None:
    """Who holds the lock is at work; whose pages are torn is not."""
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert sql(database).look() == Finding("locked", "database is locked")
    holder.execute("ROLLBACK")
    holder.close()
    content = bytearray(database.read_bytes())
    content[8192:12288] = b"\xa5" * 4096
    database.write_bytes(content)
    assert sql(database).look().state == "corrupt"
    database.write_bytes(b"this is no database at all, but long enough to be read as one" * 20)
    assert sql(database).look().state == "corrupt"


def test_the_whole_file_is_checked_now_and_then(database: Path) -> None:
    """In between the last result stands."""
    probe = sql(database, quick_check_interval="1h")
    assert probe.look().state == "up"
    content = bytearray(database.read_bytes())
    content[40960:45056] = b"\xa5" * 4096
    database.write_bytes(content)
    assert probe.look().state == "up"
    assert sql(database, quick_check_interval="1ms").look().state == "corrupt"


def test_other_databases_are_asked_by_their_url() -> None:
    """Through SQLAlchemy; who does not answer is down, with the driver's reason."""
    pytest.importorskip("sqlalchemy")
    probe = SqlProbe(SqlProbeSettings(name="db", url=SecretStr("postgresql+nodriver://127.0.0.1/none")))
    record = health_record(probe)
    assert (record["state"], record["healthy"]) == ("down", False)
    assert "nodriver" in record["detail"]


def test_a_finding_is_a_line_that_reads_back() -> None:
    """Whatever a driver raises is a finding too."""

    class Broken:
        name, kind, unhealthy_after = "thing", "http", 2

        def look(self) -> Finding:
            raise RuntimeError("a fault of the driver")

    record = health_record(Broken())
    assert (record["target"], record["state"], record["detail"]) == (
        "thing",
        "down",
        "RuntimeError: a fault of the driver",
    )
    observation = observe_probe(record)
    assert (observation.target, observation.state, observation.unhealthy_after) == ("thing", "down", 2)


def test_what_never_answered_is_unknown_until_it_did(tmp_path: Path) -> None:
    """Nor does a restart of the sidecar make an outage unknown; a damaged file needs no earlier look."""
    with answering() as server:
        target = {"name": "backend", "endpoint": f"http://127.0.0.1:{server.server_port}/200"}
        nobody = {"name": "frontend", "endpoint": "http://127.0.0.1:9/", "timeout": "1s"}
        damaged = tmp_path / "damaged.db"
        damaged.write_bytes(b"this is no database at all, but long enough to be read as one" * 20)
        configuration = {
            "receivers": {
                "httpcheck": {"collection_interval": "1s", "targets": [target, nobody]},
                "sqlcheck": {"targets": [{"name": "database", "url": f"sqlite:///{damaged}"}]},
            },
            "service": {"pipelines": {"metrics": {"receivers": ["httpcheck", "sqlcheck"]}}},
        }
        with Sidecar(tmp_path, configuration) as sidecar:
            wait_until(lambda: len(set(states(sidecar))) == 3, "not all have been looked at")
    with sidecar:
        wait_until(lambda: ("backend", "down", False) in states(sidecar), "nobody has looked again")
    assert set(states(sidecar)) == {
        ("backend", "up", True),
        ("backend", "down", False),
        ("frontend", "unknown", None),
        ("database", "corrupt", False),
    }


def states(sidecar: Sidecar) -> list[tuple[str, str, bool | None]]:
    return [(line["target"], line["state"], line["healthy"]) for line in sidecar.records("health")]


def test_a_target_that_keeps_us_waiting_does_not_keep_the_collector_from_ending(tmp_path: Path) -> None:
    """A look at it may take half a minute; stopping does not."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = {"name": "silent", "endpoint": f"http://127.0.0.1:{silent.getsockname()[1]}/", "timeout": "30s"}
        configuration = {
            "receivers": {"httpcheck": {"targets": [target]}},
            "service": {"pipelines": {"metrics": {"receivers": ["otlp", "httpcheck"]}}},
        }
        sidecar = Sidecar(tmp_path, configuration).start()
        asking, _ = silent.accept()
        started = time.monotonic()
        assert sidecar.stop() == 0
        assert time.monotonic() - started < 5
        asking.close()


def test_probes_and_the_host_are_stored_and_judged(tmp_path: Path) -> None:
    """By a running collector, at their intervals."""
    with answering() as server:
        target = {"name": "backend", "endpoint": f"http://127.0.0.1:{server.server_port}/200", "unhealthy_after": 1}
        configuration = {
            "receivers": {
                "httpcheck": {"collection_interval": "1s", "targets": [target]},
                "hostmetrics": {"collection_interval": "1s"},
            },
            "service": {"pipelines": {"metrics": {"receivers": ["hostmetrics", "httpcheck"]}}},
        }
        with Sidecar(tmp_path, configuration) as sidecar:
            while len(list(sidecar.records("health"))) < 2:
                time.sleep(0.1)
    looks = list(sidecar.records("health"))
    assert {(line["target"], line["healthy"], line["service"]) for line in looks} == {("backend", True, "forecourt")}
    names = {record["name"] for record in sidecar.records("metrics")}
    assert {"system.memory.utilization", "system.filesystem.utilization"} <= names
