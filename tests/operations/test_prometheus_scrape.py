"""Debian's Prometheus scrapes the pages' `/metrics`."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
import urllib3
import yaml

from processors.histogram import of_values
from processors.rollups import Subject, Summary
from tests.dashboard.standing import judged, publish
from tests.support.page_process import PageProcess
from tests.support.pages import wait_until
from tests.support.stored import HOUR, store

PROMETHEUS = shutil.which("prometheus")
LABELS = ("service.name", "http.request.method", "http.route")
NAME = "http_server_request_duration_seconds"


class Prometheus:
    """Asks the one that listens at `address`."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address = address
        self._targets = folder / "targets.json"
        self._pool = urllib3.PoolManager(retries=False, timeout=5)

    def scrape(self, target: str) -> None:
        """It looks for targets 5 s after its start and every 5 s from then on: said at once it costs no time."""
        fresh = self._targets.with_suffix(".new")
        fresh.write_bytes(orjson.dumps([{"targets": [target]}]))
        fresh.replace(self._targets)
        wait_until(self._is_up, "nothing was scraped")

    def _is_up(self) -> bool:
        try:
            return self.value('up{job="forecourt"}') == 1.0
        except urllib3.exceptions.HTTPError:
            return False

    def ask(self, path: str, **query: str) -> Any:
        answer = orjson.loads(self._pool.request("GET", f"http://{self._address}/api/v1/{path}", fields=query).data)
        assert answer["status"] == "success", answer
        return answer["data"]

    def value(self, expression: str) -> float | None:
        found = self.ask("query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None


@contextmanager
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """In a folder of its own, until the end of the block."""
    folder.mkdir()
    job = {"job_name": "forecourt", "scrape_interval": "200ms", "scrape_timeout": "200ms"}
    found_in = {"file_sd_configs": [{"files": [str(folder / "targets.json")]}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [{**job, **found_in}]}))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{holder.getsockname()[1]}"
    process = subprocess.Popen(
        [
            str(PROMETHEUS),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--enable-feature=exemplar-storage",
            "--log.level=error",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Prometheus(address, folder)
    finally:
        process.kill()
        process.wait()


def line(values: list[float]) -> dict[str, Any]:
    subject = Subject("http.server.response_time", LABELS, ("app", "GET", "/items"))
    return {"service": "forecourt", **Summary(subject, "1min", HOUR, 0, of_values(values)).fields()}


@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus (Debian's package) is not installed")
def test_it_is_up_and_its_values_counters_and_exemplars_can_be_asked_for(tmp_path: Path) -> None:
    """Of a rule its value, of requests those that came after the first scrape, and the trace of one of them."""
    logs = store(tmp_path / "logs", "rollups", line([0.2]))
    store(
        logs,
        "performance",
        {"method": "GET", "route": "/items", "status_code": 200, "response_time": 0.2, "trace_id": "a" * 32},
    )
    publish(logs, HOUR, judged("http.server.p95", 3.5, "warning", "app"))
    with prometheus(tmp_path / "prometheus") as scraper, PageProcess(logs, HOUR) as pages:
        scraper.scrape(urlsplit(pages.address).netloc)
        (found,) = scraper.ask("targets")["activeTargets"]
        assert (found["health"], found["lastError"]) == ("up", "")
        assert scraper.value('up{job="forecourt"}') == 1.0
        assert scraper.value('forecourt_rule_value{rule="http.server.p95", service_name="app"}') == 3.5
        assert scraper.value('forecourt_rule_band{rule="http.server.p95", band="warning"}') == 1.0
        assert scraper.value(f'{NAME}_count{{http_route="/items"}}') == 0.0
        now = time.time()
        wait_until(lambda: _exemplars(scraper, now), "no exemplar came")
        assert _exemplars(scraper, now) == ["a" * 32]
        metadata = scraper.ask("metadata", metric=NAME)[NAME][0]
        assert (metadata["type"], metadata["unit"]) == ("histogram", "seconds")


def _exemplars(scraper: Prometheus, now: float) -> list[str]:
    found = scraper.ask("query_exemplars", query=f"{NAME}_bucket", start=str(HOUR // 10**9 - 3600), end=str(now + 3600))
    return [one["labels"]["trace_id"] for series in found for one in series["exemplars"]]
