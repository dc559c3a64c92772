"""`forecourt rules`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
import yaml

from alerting.plain_text import plain
from analysis.published import Judged, published
from operations.backtest import Backtest
from operations.configuration import Source, load
from operations.options import CONFIG, LOGS, config_options, json_instead_of
from operations.period import period_of, period_options
from operations.prometheus_export import prometheus_rules
from operations.settings_file import ConfigurationError
from operations.tables import band_text, console, show_table
from processors.evaluation import Transition, format_key, format_value
from processors.judging_settings import JudgingSettings, KnownRule
from processors.security.settings import BreachSettings, SpikeSettings
from processors.security.spike import SPIKES_OF
from storage import StateError

_JSON = json_instead_of("a table")
_WATCH_SECONDS = 2.0
_RULES = {"thresholds": "rules", "anomalies": "watches", "security": "rules"}
"""Where each judge has them."""


@click.command("list")
@click.option("--watch", is_flag=True, help="Again every 2 seconds, until Ctrl-C.")
@_JSON
@config_options
def list_(watch: bool, as_json: bool, config: Path | None, logs: Path | None) -> None:  # noqa: FBT001  # click's
    """Every rule, its current value and the band that it is in.

    Example: forecourt rules list --watch
    """
    source = _loaded(config)
    folder = logs or source.configuration.exporters.jsonl.path
    known = source.configuration.processors.known_rules()
    screen = console()
    with suppress(KeyboardInterrupt):
        while True:
            judged = published(folder, time.time_ns())
            rows = _rows(known, judged)
            if as_json:
                click.echo(orjson.dumps({"problem": judged.problem or None, "rules": rows}, option=orjson.OPT_INDENT_2))
            else:
                if watch and screen.is_terminal:
                    screen.clear()
                _show(rows, judged)
            if not watch:
                return
            time.sleep(_WATCH_SECONDS)


def _rows(known: Mapping[str, KnownRule], judged: Judged) -> list[dict[str, Any]]:
    """Each rule's evaluations; a rule without any has one row without a value."""
    by_rule: dict[str, list[dict[str, Any]]] = {}
    for evaluation in judged.evaluations:
        by_rule.setdefault(evaluation["rule"], []).append(evaluation)
    rows = []
    for name, rule in known.items():
        if not rule.enabled:
            rows.append({**_empty(name), "detail": "switched off"})
        elif name in by_rule:
            rows += by_rule[name]
        else:
            quiet = rule.way[0] == "security" and not judged.problem
            rows.append({**_empty(name), "band": "normal", "detail": "nobody"} if quiet else _empty(name))
    return rows


def _empty(name: str) -> dict[str, Any]:
    return {
        "rule": name,
        "key": {},
        "value": None,
        "unit": "1",
        "band": "no data",
        "severity": "",
        "status": "inactive",
        "samples": 0,
        "detail": "",
    }


def _show(rows: Iterable[dict[str, Any]], judged: Judged) -> None:
    columns = ("rule", "of", "value", "band", "samples", "alert")
    show_table(columns, map(_row, rows), right=("value", "samples"), spare=("samples",))
    if judged.problem:
        click.echo(judged.problem, err=True)


def _row(one: Mapping[str, Any]) -> Sequence[object]:
    value = format_value(one["value"], one["unit"]) if one["value"] is not None else ""
    alert = f"{one['status']}, {one['severity']}" if one["severity"] else one["detail"]
    of = plain(", ".join(one["key"].values()), 80)
    return one["rule"], of, value, band_text(one["band"], one["band"]), one["samples"] or "", alert


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Say whether the rules of FILE can be used, and where not.

    FILE is laid out like otel-config.yaml, or has nothing but `rules:`.

    Example: forecourt rules check otel-config.yaml
    """
    try:
        source = load(file)
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from error
    found = source.configuration.processors.known_rules()
    off = sum(not rule.enabled for rule in found.values())
    click.echo(f"{file}: ok, {len(found)} rules, {off} of them switched off")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@period_options
@click.option("--all", "everything", is_flag=True, help="Also the default rules that FILE does not name.")
@_JSON
@LOGS
def test(  # noqa: PLR0917  # one for each option
    file: Path,
    last: float | None,
    since: int | None,
    until: int | None,
    everything: bool,  # noqa: FBT001  # click's
    as_json: bool,  # noqa: FBT001  # click's
    logs: Path | None,
) -> None:
    """Judge recorded telemetry by the rules of FILE, and list every alert that would have begun or ended.

    FILE is laid out like otel-config.yaml, or has nothing but `rules:`; the rules that it names are tried.

    Example: forecourt rules test my-rules.yaml --last 7days
    """
    source = _loaded(file)
    settings: JudgingSettings = source.configuration.processors
    if not everything:
        settings = _only_named(settings, source)
    folder = logs or source.configuration.exporters.jsonl.path
    if not folder.is_dir():
        raise click.ClickException(f"{folder}: no such folder. Name the one with the records: --logs DIR")
    started = time.perf_counter()
    backtest = Backtest(
        settings.thresholds,
        folder,
        period_of(last, since, until),
        others=settings.others(),
        now_unix_nano=time.time_ns(),
    )
    count = 0
    try:
        for transition in backtest.run():
            count += 1
            click.echo(orjson.dumps(_as_json(transition)) if as_json else _as_line(transition))
    except StateError as error:
        raise click.ClickException(str(error)) from error
    taken = time.perf_counter() - started
    click.echo(f"{count} transitions; {backtest.records} records judged in {taken:.1f} s", err=True)


@click.command()
@click.option("--format", "form", type=click.Choice(["prometheus"]), default="prometheus", show_default=True)
@CONFIG
def export(form: str, config: Path | None) -> None:  # noqa: ARG001  # the only one so far
    """Print the rules as a rule file for Prometheus, which scrapes the sidecar's metrics (127.0.0.1:8888).

    Example: forecourt rules export --format prometheus > forecourt.rules.yml
    """
    content = prometheus_rules(_loaded(config).configuration.processors.thresholds)
    click.echo(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000), nl=False)


def _only_named(settings: JudgingSettings, source: Source) -> JudgingSettings:
    """With the rules that the file names, if it names any."""
    named = {kind: source.named("processors", kind, field) for kind, field in _RULES.items()}
    if not any(named.values()):
        return settings
    for needed in {name: _needed(settings, name) for name in named["security"]}.values():
        for kind, names in needed.items():
            named[kind] = [*named[kind], *names]
    parts: dict[str, Any] = {}
    if not source.named("processors", "baselines"):
        parts["baselines"] = settings.baselines.model_copy(update={"enabled": False})
    for kind, names in named.items():
        part, field = getattr(settings, kind), _RULES[kind]
        known = getattr(part, field)
        parts[kind] = part.model_copy(update={field: {name: known[name] for name in names if name in known}})
    return settings.model_copy(update=parts)


def _needed(settings: JudgingSettings, name: str) -> dict[str, list[str]]:
    """What an attack's rule rests on."""
    rule = settings.security.rules.get(name)
    if isinstance(rule, BreachSettings):
        return {"security": list(rule.after)}
    return {"anomalies": [SPIKES_OF]} if isinstance(rule, SpikeSettings) else {}


def _as_json(transition: Transition) -> dict[str, Any]:
    return {**transition._asdict(), "key": dict(transition.key)}


def _as_line(transition: Transition) -> str:
    moment = datetime.fromtimestamp(transition.time_unix_nano // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    of = format_key(dict(transition.key))
    return (
        f"{moment}  {transition.status:<8}  {transition.severity:<8}  {transition.rule}"
        f"{' {' + of + '}' if of else ''}: {transition.summary} ({transition.reason})"
    )


def _loaded(config: Path | None) -> Source:
    try:
        return load(config)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
