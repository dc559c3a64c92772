"""A real Alertmanager takes our alerts and resolves them."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from alerting.channels import ChannelError
from alerting.channels.alertmanager import Alertmanager
from alerting.settings import AlertmanagerSettings
from tests.support.notifications import ended, notification, view

ALERTMANAGER = shutil.which("prometheus-alertmanager")
NANO = 1_000_000_000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if ALERTMANAGER is None:
        pytest.skip("Alertmanager (Debian's package prometheus-alertmanager) is not installed")
    folder: Path = tmp_path_factory.mktemp("alertmanager")
    (folder / "config.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--config.file=config.yml", "--storage.path=data", "--cluster.listen-address="]
    process = subprocess.Popen(
        [ALERTMANAGER, *options, f"--web.listen-address=127.0.0.1:{port}"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(lambda: _get(f"{address}/-/ready"))
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _get(address: str) -> Any:
    try:
        return requests.get(address, timeout=5).content
    except requests.RequestException:
        return None


def _wait(look: Any) -> Any:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


def _alerts(url: str, **wanted: str) -> list[dict[str, Any]]:
    known = json.loads(_get(f"{url}/api/v2/alerts") or b"[]")
    return [one for one in known if wanted.items() <= one["labels"].items()]


def channel(url: str) -> Alertmanager:
    return Alertmanager(AlertmanagerSettings(url=url), "http://127.0.0.1:9090", 3600.0)


def test_it_takes_an_alert_and_resolves_it(url: str) -> None:
    """It fires until it is told again, and ends when ours ends."""
    now = time.time_ns()
    firing = view(firing_since=now - 60 * NANO)
    assert channel(url).send(notification(firing, created_unix_nano=now)).answer == "answered 200"
    (alert,) = _wait(lambda: _alerts(url, alertname="http.server.error_rate"))
    assert alert["labels"] == {
        "alertname": "http.server.error_rate",
        "service_name": "backend",
        "severity": "critical",
    }
    assert alert["annotations"]["summary"] == "11.3 % of requests fail"
    assert alert["generatorURL"] == "http://127.0.0.1:9090/alerts/bf3fbe8026"
    assert alert["status"]["state"] in {"active", "unprocessed"}
    over = ended(firing_since=now - 60 * NANO, resolved_at=now)
    channel(url).send(notification(over, kind="resolved", created_unix_nano=now))
    _wait(lambda: not _alerts(url, alertname="http.server.error_rate"))


def test_a_test_is_an_alert_of_its_own(url: str) -> None:
    """That ends by itself."""
    channel(url).send(notification(kind="test", text="a test", created_unix_nano=time.time_ns()))
    (alert,) = _wait(lambda: _alerts(url, alertname="forecourt.test"))
    assert alert["annotations"] == {"summary": "a test"}


def test_a_digest_is_not_announced(url: str) -> None:
    """It has all alerts by themselves."""
    answer = channel(url).send(notification(view(), kind="digest")).answer
    assert answer == "nothing to announce: Alertmanager knows its alerts already"


def test_what_it_refuses_is_told(url: str) -> None:
    """In its own words."""
    with pytest.raises(ChannelError, match=r"answered 404") as refused:
        channel(f"{url}/elsewhere").send(notification(view()))
    assert refused.value.permanent
    assert channel("").problem() == "its url is empty"
