"""What `forecourt collector status|reload|stop` ask of the one that runs, by the state database."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import orjson

from alerting import records
from analysis.json_values import rfc3339
from analysis.published import published
from operations.alert_state import is_running, opened, wait_for
from operations.exporter_answers import exporter_lines, exporters_as_json
from operations.page_settings import PAGE_TITLES
from operations.question_settings import load_part
from operations.settings_file import ConfigurationError
from operations.tables import lasted, moment
from storage import exporter_rows
from storage.names import OWN_FOLDER
from storage.state import CollectorRow
from storage.web_process import served, web_process

_STOP_SECONDS = 20.0
_NANO = 1_000_000_000
_ENDED = {"ok": False, "error": "the sidecar ended before it answered; see its log, then ask again"}


def ask(folder: Path, kind: str, arguments: dict[str, Any], seconds: float = 40.0) -> Any:
    """The answer of the sidecar that runs on this folder; raise click.ClickException when it refuses or is silent."""
    with opened(folder) as state:
        number = records.ask(state, kind, arguments, time.time_ns())
        answer = wait_for(lambda: records.answered(state, number) or (None if is_running(state) else _ENDED), seconds)
    if answer is None:
        raise click.ClickException(f"the sidecar did not answer within {seconds:.0f} s; see its log")
    if not answer["ok"]:
        raise click.ClickException(str(answer["error"]))
    return answer["answer"]


def runs_on(folder: Path) -> bool:
    """Whether a sidecar owns this folder now."""
    if not (folder / OWN_FOLDER / "state.db").is_file():
        return False
    with opened(folder) as state:
        return is_running(state)


def _configured(config: Path | None) -> Path:
    """The folder that a file names, whatever else is wrong in it: who runs must be reached all the same."""
    try:
        return load_part(config).store.path
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


def reload(config: Path | None, logs: Path | None) -> None:
    folder = logs or _configured(config)
    if not runs_on(folder):
        raise click.ClickException(f"no sidecar runs on {folder}. Start one with: forecourt collector")
    done = ask(folder, "reload", {})
    click.echo(f"reloaded: {done['configuration']}")
    for warning in done["warnings"]:
        click.echo(f"{done['configuration']}: warning: {warning}", err=True)


def stop(config: Path | None, logs: Path | None) -> None:
    folder = logs or _configured(config)
    if not runs_on(folder):
        click.echo(f"no sidecar runs on {folder}")
        return
    with opened(folder) as state:
        records.ask(state, "stop", {}, time.time_ns())
        stopped = wait_for(lambda: None if is_running(state) else True, _STOP_SECONDS)
    if stopped is None:
        raise click.ClickException(f"it is still running after {_STOP_SECONDS:.0f} s; see its log")
    click.echo("stopped")


def tell_status(config: Path | None, logs: Path | None, as_json: bool) -> None:  # noqa: FBT001  # from click
    folder = logs or _configured(config)
    content = _status(folder)
    if as_json:
        click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    else:
        _show(content)
    sys.exit(0 if content["running"] else 1)


def _status(folder: Path) -> dict[str, Any]:
    """Has every key whatever is known."""
    judged = published(folder, time.time_ns())
    firing = Counter(one["severity"] for one in judged.evaluations if one["status"] == "firing")
    content = {
        "running": False,
        "folder": str(folder),
        "problem": judged.problem or None,
        **_told_of(None),
        "pages": {},
        "exporters": [],
    }
    if (folder / OWN_FOLDER / "state.db").is_file():
        with opened(folder) as state:
            content |= {"running": is_running(state), **_told_of(state.collector())}
            content["pages"] = served(web_process(state))
            content["exporters"] = exporters_as_json(exporter_rows.rows(state), time.time_ns())
    return {**content, "judged": len(judged.evaluations), "firing": dict(firing)}


def _told_of(row: CollectorRow | None) -> dict[str, Any]:
    return {
        "pid": row and row.pid,
        "version": row and row.version,
        "started": row and rfc3339(row.started_unix_nano),
        "stopped": row and row.stopped_unix_nano and rfc3339(row.stopped_unix_nano),
        "endpoints": dict(row.endpoints) if row else {},
        "up_seconds": row and (time.time_ns() - row.started_unix_nano) / _NANO,
    }


def _show(content: dict[str, Any]) -> None:
    if not content["running"]:
        click.echo(f"not running on {content['folder']}")
        return
    up = lasted(content["up_seconds"])
    click.echo(f"running, pid {content['pid']}, version {content['version']}, for {up} (since {content['started']})")
    click.echo(f"records   {content['folder']}")
    for name, endpoint in content["endpoints"].items():
        click.echo(f"{name:<10}{endpoint}")
    for name, address in content["pages"].items():
        click.echo(f"{PAGE_TITLES[name]:<10}{address}")
    for line in exporter_lines(content["exporters"]):
        click.echo(f"sent on   {line}")
    told = ", ".join(f"{count} {severity}" for severity, count in content["firing"].items()) or "nothing"
    click.echo(f"judged    {content['judged']} values at {moment(time.time_ns())}; firing: {told}")
    if content["problem"]:
        click.echo(content["problem"], err=True)
