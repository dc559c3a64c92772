"""`forecourt check`: Nagios' exit codes, 0 OK, 1 warning, 2 critical, 3 unknown."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click
import orjson

from collector.probes import HttpProbe
from operations.configuration import Configuration, ConfigurationError, load
from operations.published import published
from processors.evaluation import format_key, format_value
from processors.histogram import Histogram
from processors.rule_state import RuleState
from processors.rules import compile_rules

_PERFORMANCE = ("http.server.response_time", "db.query.response_time", "db.pool.utilization")
_CODES = {"normal": 0, "warning": 1, "critical": 2, "no data": 3}
_WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_LOOKS = 5


@contextmanager
def _usage_errors_are_unknown() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        error.exit_code = 3  # type: ignore[misc]  # click reads it from the instance
        raise


class _NagiosGroup(click.Group):
    """A usage error is unknown, not critical."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        with _usage_errors_are_unknown():
            return super().parse_args(context, args)

    def invoke(self, context: click.Context) -> Any:
        with _usage_errors_are_unknown():
            return super().invoke(context)


@click.group(cls=_NagiosGroup)
def check() -> None:
    """Say whether all is well, with Nagios' exit codes: 0 OK, 1 warning, 2 critical, 3 unknown."""


@check.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of lines.")
@click.option("--config", type=click.Path(path_type=Path), help="The configuration file.")
@click.option("--logs", type=click.Path(path_type=Path), help="The folder of the records.")
def performance(as_json: bool, config: Path | None, logs: Path | None) -> None:  # noqa: FBT001  # click's
    """Response times, queries and the connection pool; without a sidecar the backend is asked directly.

    Example: forecourt check performance
    """
    try:
        source = load(config)
    except ConfigurationError as error:
        click.echo(f"UNKNOWN: {error}", err=True)
        raise SystemExit(3) from error
    configuration = source.configuration
    judged = published(logs or configuration.exporters.jsonl.path)
    if judged.problem:
        found = _asked_directly(configuration)
    else:
        wanted = {
            name for name, rule in configuration.processors.thresholds.rules.items() if rule.indicator in _PERFORMANCE
        }
        found = [evaluation for evaluation in judged.evaluations if evaluation["rule"] in wanted]
    _answer(found, judged.problem, as_json=as_json)


def _asked_directly(configuration: Configuration) -> list[dict[str, Any]]:
    """A few looks at the backend, by the bands of the mean response time."""
    rules, _ = compile_rules(configuration.processors.thresholds)
    mean = next((rule for rule in rules if rule.name == "http.server.mean"), None)
    found = []
    for target in configuration.receivers.httpcheck.targets:
        if target.name != "backend" or not target.endpoint or mean is None:
            continue
        probe, taken, detail, up = HttpProbe(target), Histogram(), "", True
        for _ in range(_LOOKS):
            started = time.perf_counter()
            finding = probe.look()
            taken.add(time.perf_counter() - started)
            detail, up = finding.detail, up and finding.state == "up"
        seconds = taken.sum / taken.count
        index = RuleState.of(mean.bands).band(mean.bands, seconds)
        band = "critical" if not up else "normal" if index is None else mean.bands[index].level
        key = {"target": target.name}
        found.append({"rule": mean.name, "key": key, "value": seconds, "unit": "s", "band": band, "detail": detail})
    return found


def _answer(found: list[dict[str, Any]], problem: str, *, as_json: bool) -> NoReturn:
    known = [_CODES[evaluation["band"]] for evaluation in found if evaluation["band"] != "no data"]
    code = max(known, default=3)
    if as_json:
        content = {"status": _WORDS[code], "problem": problem or None, "evaluations": found}
        click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2))
    else:
        for evaluation in found:
            judged = evaluation["value"] is not None
            value = f"is {format_value(evaluation['value'], evaluation['unit'])}" if judged else "has no value"
            told = f" ({evaluation['detail']})" if evaluation["detail"] else ""
            of = format_key(evaluation["key"])
            click.echo(f"{_WORDS[_CODES[evaluation['band']]]}: {evaluation['rule']} {{{of}}} {value}{told}")
        if not found:
            click.echo("UNKNOWN: there is nothing to judge")
    if problem:
        click.echo(problem, err=True)
    raise SystemExit(code)
