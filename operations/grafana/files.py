"""All that is exported, as texts by the paths that they get below one folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import orjson
import yaml

from dashboard.settings import DashboardSettings
from operations.grafana.dashboards import dashboards
from operations.grafana.layout import JAEGER_UID, PROMETHEUS_UID
from processors.endpoint import url_of
from processors.judging_settings import JudgingSettings
from storage.sync import replace_file

DASHBOARDS = "dashboards"
TOKEN_FILE = "forecourt.token"  # noqa: S105  # the name of a file
_SCRAPE_INTERVAL = "15s"
_READABLE = 0o644
"""Grafana and Prometheus run as users of their own, and nothing in the files is secret."""
_HEAD = "# Written by `forecourt dashboard export`.\n"
_TOKEN_HINT = (
    "# People have to log in: put the token of one of extensions.dashboard.users (the role view is enough) into the\n"
    f"# file {TOKEN_FILE} beside this one; Prometheus sends it, and is refused with 401 without it.\n"
)


def texts(
    judging: JudgingSettings, pages: DashboardSettings, folder: Path, *, prometheus_url: str, grafana_folder: str
) -> dict[PurePosixPath, str]:
    """In the order of their paths; `folder` is where Grafana finds them."""
    shown = {PurePosixPath(DASHBOARDS, name): _json(one) for name, one in dashboards(judging).items()}
    provider = _provider(folder / DASHBOARDS, grafana_folder)
    return shown | {
        PurePosixPath("prometheus.yml"): _yaml(_scraping(pages), _TOKEN_HINT if pages.users else ""),
        PurePosixPath("provisioning", "dashboards", "forecourt.yaml"): _yaml(provider),
        PurePosixPath("provisioning", "datasources", "forecourt.yaml"): _yaml(_sources(pages, prometheus_url)),
    }


def write(folder: Path, files: dict[PurePosixPath, str]) -> dict[PurePosixPath, str]:
    """What became of each: new, changed or unchanged; raise OSError."""
    return {path: _written(folder / path, text.encode()) for path, text in files.items()}


def _written(path: Path, content: bytes) -> str:
    before = path.read_bytes() if path.is_file() else None
    if before == content:
        return "unchanged"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content)
    if before is None:
        path.chmod(_READABLE)
        return "new"
    return "changed"


def _json(content: Any) -> str:
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _yaml(content: Any, hint: str = "") -> str:
    return _HEAD + hint + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)


def _scraping(pages: DashboardSettings) -> dict[str, Any]:
    """For Prometheus, as https://prometheus.io/docs/prometheus/latest/configuration/configuration/ has it."""
    scheme, _, target = url_of(pages.endpoint, secure=pages.tls is not None).partition("://")
    job: dict[str, Any] = {
        "job_name": "forecourt",
        "scrape_interval": _SCRAPE_INTERVAL,
        "scheme": scheme,
        "metrics_path": "/metrics",
        "static_configs": [{"targets": [target]}],
    }
    if pages.users:
        job["authorization"] = {"type": "Bearer", "credentials_file": TOKEN_FILE}
    return {"scrape_configs": [job]}


def _sources(pages: DashboardSettings, prometheus_url: str) -> dict[str, Any]:
    """https://grafana.com/docs/grafana/latest/administration/provisioning/#data-sources."""
    prometheus = {
        "name": "Forecourt metrics",
        "uid": PROMETHEUS_UID,
        "type": "prometheus",
        "access": "proxy",
        "url": prometheus_url,
        "jsonData": {
            "httpMethod": "POST",
            "timeInterval": _SCRAPE_INTERVAL,
            "exemplarTraceIdDestinations": [
                {"name": "trace_id", "datasourceUid": JAEGER_UID, "urlDisplayLabel": "Show the trace"}
            ],
        },
    }
    jaeger: dict[str, Any] = {
        "name": "Forecourt traces",
        "uid": JAEGER_UID,
        "type": "jaeger",
        "access": "proxy",
        "url": url_of(pages.endpoint, secure=pages.tls is not None),
    }
    if pages.users:
        jaeger["jsonData"] = {"httpHeaderName1": "Authorization"}
        jaeger["secureJsonData"] = {"httpHeaderValue1": "Bearer $FORECOURT_TOKEN"}
    return {"apiVersion": 1, "datasources": [prometheus, jaeger]}


def _provider(folder: Path, grafana_folder: str) -> dict[str, Any]:
    """https://grafana.com/docs/grafana/latest/administration/provisioning/#dashboards."""
    provider = {
        "name": "Forecourt",
        "folder": grafana_folder,
        "type": "file",
        "allowUiUpdates": True,
        "updateIntervalSeconds": 30,
        "options": {"path": str(folder)},
    }
    return {"apiVersion": 1, "providers": [provider]}
