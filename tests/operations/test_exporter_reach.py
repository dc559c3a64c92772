"""`forecourt doctor` asks where exporters send to; `collector status` tells how far they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from click.testing import CliRunner

from operations.cli import main
from operations.configuration import load
from operations.exporter_reach import Reached, reached_by_all
from operations.quiet_grpc import quiet_grpc
from storage import exporter_rows
from storage.exporter_rows import Outcome, SetAside, Wanted
from tests.conftest import ROOT
from tests.dashboard.standing import publish, state_of
from tests.support.hostile_receiver import grpc_refusal, http_answer, http_hang, scripted_grpc, scripted_http
from tests.support.scripted_target import span
from tests.support.sidecar import unused_port
from tests.support.stored import HOUR, store

PLAIN = {"tls": {"insecure": True}}
WAITS = "What it should have waits in the store. Start what listens there, or mend exporters."


def configured(folder: Path, exporters: dict[str, Any], signals: Sequence[str] = ("traces", "logs")) -> Path:
    """A file that sends these signals to all of them."""
    pipelines = {signal: {"exporters": ["jsonl", *exporters]} for signal in signals}
    path = folder / "otel-config.yaml"
    path.write_text(yaml.safe_dump({"exporters": exporters, "service": {"pipelines": pipelines}}))
    return path


def reached(path: Path) -> list[Reached]:
    return reached_by_all(load(path).configuration)


def test_doctor_asks_each_exporter_with_a_request_without_records(tmp_path: Path) -> None:
    """Over gRPC and HTTP, with the headers that it sends; one that is away fails, and doctor with it."""
    with scripted_http() as http, scripted_grpc() as other:
        away = f"http://127.0.0.1:{unused_port()}"
        exporters = {
            "otlp_http/vendor": {"endpoint": http.url, "headers": {"x-token": "secret"}},
            "otlp_grpc/jaeger": {"endpoint": other.endpoint, **PLAIN},
            "otlp_http/away": {"endpoint": away, "encoding": "json"},
        }
        config = configured(tmp_path, exporters)
        shown = CliRunner().invoke(main, ["doctor", "--json", "--config", str(config)])
    found = [one for one in json.loads(shown.stdout) if one["subject"].startswith("exporter ")]
    refused = "can't be reached or broke the connection off: Connection refused"
    assert (shown.exit_code, found) == (
        1,
        [
            {
                "subject": "exporter otlp_grpc/jaeger",
                "outcome": "ok",
                "detail": f"{other.endpoint} takes traces, logs",
            },
            {
                "subject": "exporter otlp_http/away",
                "outcome": "failed",
                "detail": f"traces: {away}/v1/traces {refused}; logs: {away}/v1/logs {refused}. {WAITS}otlp_http/away",
            },
            {
                "subject": "exporter otlp_http/vendor",
                "outcome": "ok",
                "detail": f"{http.endpoint} takes traces, logs",
            },
        ],
    )
    assert sorted((one.path, one.body, one.headers["x-token"]) for one in http.received) == [
        ("/v1/logs", b"", "secret"),
        ("/v1/traces", b"", "secret"),
    ]
    assert sorted((one.signal, one.body) for one in other.received) == [("logs", b""), ("traces", b"")]


def test_doctor_says_what_each_signal_is_answered(tmp_path: Path) -> None:
    """What is refused fails; who calls an empty request malformed listens at least, which is worth a warning."""
    unknown = grpc_refusal(grpc.StatusCode.UNIMPLEMENTED, "unknown service")
    with scripted_http([http_answer(400)]) as strict, scripted_grpc([unknown, unknown]) as other:
        exporters = {
            "otlp_http/strict": {"endpoint": "http://unused.invalid", "traces_endpoint": f"{strict.url}/in"},
            "otlp_grpc/jaeger": {"endpoint": other.endpoint, **PLAIN},
        }
        config = configured(tmp_path, exporters, ["traces"])
        asked = yaml.safe_load(config.read_text())
        asked["service"]["pipelines"]["logs"] = {"exporters": ["jsonl", "otlp_grpc/jaeger"]}
        config.write_text(yaml.safe_dump(asked))
        found = reached(config)
    assert found == [
        Reached(
            "otlp_grpc/jaeger",
            "failed",
            f"traces, logs: {other.endpoint} answered UNIMPLEMENTED: unknown service. Mend exporters.otlp_grpc/jaeger, "
            "or take it out of the pipelines of what is refused there",
        ),
        Reached(
            "otlp_http/strict",
            "warning",
            f"traces: {strict.url}/in answered 400. It listens, and may refuse a request only because it is empty; "
            "see: forecourt store exporters",
        ),
    ]


def test_what_a_receiver_says_ends_in_one_period(tmp_path: Path) -> None:
    """Whether it ended its sentence or not."""
    away = grpc_refusal(grpc.StatusCode.UNAVAILABLE, "no handshaker.")
    with scripted_grpc([away, away]) as server:
        found = reached(configured(tmp_path, {"otlp_grpc/jaeger": {"endpoint": server.endpoint, **PLAIN}}))
    told = f"traces, logs: {server.endpoint} answered UNAVAILABLE: no handshaker. {WAITS}otlp_grpc/jaeger"
    assert found == [Reached("otlp_grpc/jaeger", "failed", told)]


@pytest.mark.parametrize("command", ["doctor", "replay"])
def test_nothing_of_grpcs_own_log_is_on_the_terminal(tmp_path: Path, command: str) -> None:
    """Its core tells of a handshake that fails, in words of its own; ours say what to do."""
    with scripted_http() as plain:
        config = configured(tmp_path, {"otlp_grpc/viewer": {"endpoint": plain.endpoint}}, ["traces"])
        logs = store(tmp_path / "logs", "traces", json.loads(span(1)) | {"time_unix_nano": HOUR})
        given = {
            "doctor": ["--json", "--config", str(config)],
            "replay": [
                *("--to-endpoint", f"https://{plain.endpoint}", "--protocol", "grpc", "--give-up-after", "1ms"),
                *("--from", "2026-11-23T12:00", "--logs", str(logs)),
            ],
        }
        environment = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
        done = subprocess.run(
            [sys.executable, "-m", "operations", command, *given[command]],
            cwd=ROOT,
            env={**environment, "FORECOURT_STATE_DIR": str(tmp_path / "state")},
            capture_output=True,
            text=True,
            check=False,
        )
    ours = "speaks no TLS: set tls: {insecure: true} if that is meant"
    assert (done.returncode, ours in done.stdout + done.stderr) == (1, True)
    assert [line for line in done.stderr.splitlines() if ours not in line] == []


def test_who_wants_to_hear_grpc_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says stays."""
    monkeypatch.setenv("GRPC_VERBOSITY", "debug")
    quiet_grpc()
    assert os.environ["GRPC_VERBOSITY"] == "debug"


def test_doctor_waits_for_no_receiver_that_hangs(tmp_path: Path) -> None:
    """And one that no pipeline lists is not asked: the configuration's warnings tell of it."""
    with scripted_http([http_hang()]) as server, scripted_http() as unlisted:
        config = configured(tmp_path, {"otlp_http/odd": {"endpoint": server.url, "timeout": "300ms"}}, ["traces"])
        asked = yaml.safe_load(config.read_text())
        asked["exporters"]["otlp_http/spare"] = {"endpoint": unlisted.url}
        config.write_text(yaml.safe_dump(asked))
        found = reached(config)
    slow = f"traces: {server.url}/v1/traces did not answer within 0.3 s. {WAITS}otlp_http/odd"
    assert found == [Reached("otlp_http/odd", "failed", slow)]
    assert unlisted.received == []


def test_status_tells_how_far_each_exporter_is(tmp_path: Path) -> None:
    """A line each, with its slowest signal; all that `store exporters` knows in JSON."""
    now = time.time_ns()
    publish(tmp_path, now)
    late, early, other = (("otlp_http/b", "traces"), ("otlp_http/b", "logs"), ("otlp_grpc/a", "logs"))
    with closing(state_of(tmp_path)) as state:
        wanted = dict.fromkeys((late, early, other), Wanted(from_beginning=True, queue_bytes=100))
        exporter_rows.register(state, wanted, {})
        part = SetAside(*late, "2026-11-23T12.jsonl", 0, 10, 1200, "no name", now)
        counts = {"set_aside_records": 1200, "rejected_records": 7, "dropped_records": 3}
        exporter_rows.record(
            state, late, Outcome(counts, set_aside=(part,), problem=("it\x1b[31m is away", now)), None, 0
        )
        long_ago = now - 3 * 86400 * 10**9
        exporter_rows.looked(state, late, waiting_bytes=5, oldest_unix_nano=long_ago, now_unix_nano=now)
    given = ["collector", "status", "--logs", str(tmp_path)]
    shown = [line for line in CliRunner().invoke(main, given).stdout.splitlines() if line.startswith("sent on")]
    counted = "1,200 records set aside, 7 rejected, 3 dropped"
    assert shown == [
        "sent on   otlp_grpc/a: up to date",
        f"sent on   otlp_http/b: 3 d 0 h behind with traces, {counted}, it [31m is away",
    ]
    told = json.loads(CliRunner().invoke(main, [*given, "--json"]).stdout)["exporters"]
    exporters = json.loads(CliRunner().invoke(main, ["store", "exporters", "--json", "--logs", str(tmp_path)]).stdout)
    assert [(row["exporter"], row["stream"], row["set_aside_records"]) for row in told] == [
        ("otlp_grpc/a", "logs", 0),
        ("otlp_http/b", "logs", 0),
        ("otlp_http/b", "traces", 1200),
    ]
    assert [row.keys() for row in told] == [row.keys() for row in exporters["exporters"]]


def test_status_has_no_exporter_where_nobody_has_run(tmp_path: Path) -> None:
    """The key is there all the same."""
    shown = CliRunner().invoke(main, ["collector", "status", "--json", "--logs", str(tmp_path)])
    assert (shown.exit_code, json.loads(shown.stdout)["exporters"]) == (1, [])
