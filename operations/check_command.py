"""`forecourt check`: Nagios' exit codes, 0 OK, 1 warning, 2 critical, 3 unknown."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from analysis.period import Period
from operations.busy import busy
from operations.durations import DURATION
from operations.lazy_group import LazyGroup
from operations.options import config_options, json_instead_of
from operations.reading import Reading, tell_unread, told_faults

if TYPE_CHECKING:
    from operations.checks.component import Checked

_ALL = ("health", "performance", "security", "errors", "business")
_UNKNOWN = 3
_CHECKS = {
    "health": ("health:health", {}),
    "performance": ("judged:performance", {}),
    "security": ("judged:security", {}),
    "errors": ("recorded:errors", {"seconds": 300.0}),
    "business": ("judged:business", {}),
}


@contextmanager
def _without_an_answer_is_unknown() -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        click.echo("UNKNOWN: interrupted", err=True)
        sys.exit(_UNKNOWN)
    except click.UsageError as error:
        error.exit_code = _UNKNOWN  # type: ignore[misc]  # click reads it from the instance
        raise


class _NagiosGroup(LazyGroup):
    """A usage error, or Ctrl-C, is unknown: neither critical nor a warning."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        with _without_an_answer_is_unknown():
            return super().parse_args(context, args)

    def invoke(self, context: click.Context) -> Any:
        with _without_an_answer_is_unknown():
            return super().invoke(context)


@click.group(cls=_NagiosGroup)
def check() -> None:
    """Say whether all is well, with Nagios' exit codes: 0 OK, 1 warning, 2 critical, 3 unknown."""


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    quiet = click.option("--quiet", is_flag=True, help="Only what is wrong.")
    return quiet(json_instead_of("lines")(config_options(command)))


@check.command("all")
@_options
def all_(**given: Any) -> None:
    """Health, performance, security, errors of the last 5 min, business, what else fires; the worst exit code.

    Example: forecourt check all --quiet
    """
    reading = _reading(given)
    checked = {name: _checked(reading, *_CHECKS[name]) for name in _ALL}
    told = [component for one in checked.values() for component in one.components]
    checked["alerts"] = _checked(reading, "firing:firing", {"told": told})
    _tell(checked, given, reading)


@check.command()
@_options
def health(**given: Any) -> None:
    """Whether backend, database, frontend and other targets answer (looked at directly without a sidecar); the host.

    Example: forecourt check health --quiet
    """
    _one("health", given)


@check.command()
@_options
def performance(**given: Any) -> None:
    """Response times, failures, queries, the connection pool; without a sidecar the backend is asked directly.

    Example: forecourt check performance
    """
    _one("performance", given)


@check.command()
@_options
def security(**given: Any) -> None:
    """Success of logins, and who failed too often in the last quarter of an hour.

    Example: forecourt check security
    """
    _one("security", given)


@check.command()
@_options
@click.option("--last", type=DURATION, default="5min", show_default=True, help="So long before now.")
def errors(last: float, **given: Any) -> None:
    """The error rate of the last minutes, and how many errors of what.

    Example: forecourt check errors --last 15min
    """
    if last <= 0:
        raise click.UsageError("--last needs some time, for example --last 5min")
    _one("errors", given, seconds=last)


@check.command()
@_options
def business(**given: Any) -> None:
    """Success rates of form automation, synchronisation and jobs.

    Example: forecourt check business
    """
    _one("business", given)


@check.command("self")
@_options
@click.option("--debug", is_flag=True, help="Every number that the sidecar tells of itself.")
@click.option("--advise", is_flag=True, help="What would make it cheaper.")
def self_(debug: bool, advise: bool, **given: Any) -> None:  # noqa: FBT001  # click's
    """The monitoring itself: runs, judges, keeps up, loses nothing, has room and somebody to tell.

    Example: forecourt check self
    """
    reading = _reading(given)
    _tell({"self": _checked(reading, "sidecar:sidecar", {"debug": debug, "advise": advise})}, given, reading)


@check.command()
@_options
def collection(**given: Any) -> None:
    """When each service sent last, and which have fallen silent.

    Example: forecourt check collection
    """
    reading = _reading(given)
    _tell({"collection": _checked(reading, "sidecar:collection", {})}, given, reading)


@check.command()
@_options
def overhead(**given: Any) -> None:
    """What the sidecar takes of processor, memory and disk.

    Example: forecourt check overhead
    """
    reading = _reading(given)
    _tell({"overhead": _checked(reading, "sidecar:overhead", {})}, given, reading)


def _one(name: str, given: dict[str, Any], **also: Any) -> None:
    reading = _reading(given)
    function, defaults = _CHECKS[name]
    _tell({name: _checked(reading, function, {**defaults, **also})}, given, reading)


def _reading(given: dict[str, Any]) -> Reading:
    """Loads the configuration at once: without it nothing is known."""
    now = time.time_ns()
    reading = Reading(Period(0, now), given["config"], given["logs"])
    try:
        _ = reading.configuration
    except click.ClickException as error:
        click.echo(f"UNKNOWN: {error.message}", err=True)
        sys.exit(_UNKNOWN)
    return reading


def _checked(reading: Reading, function: str, given: dict[str, Any]) -> Checked:
    module, _, name = function.partition(":")
    check: Callable[..., Checked] = getattr(importlib.import_module(f"operations.checks.{module}"), name)
    try:
        with busy("Checking"), told_faults():
            return check(reading, **given)
    except click.ClickException as error:
        from operations.checks.component import Checked, Component  # noqa: PLC0415  # loaded with the checks

        return Checked([Component(name, "no data", detail=error.message)], failed=True)


def _tell(checked: dict[str, Checked], given: dict[str, Any], reading: Reading) -> NoReturn:
    from operations.checks.component import CODES, WORDS, worst_code  # noqa: PLC0415  # loaded with the checks

    code = worst_code(one.code for one in checked.values())
    if code == CODES["normal"] and (reading.unread or any(one.failed for one in checked.values())):
        code = _UNKNOWN  # that all is well is more than is known
    problems = list(dict.fromkeys(one.problem for one in checked.values() if one.problem))
    components = [component for one in checked.values() for component in one.components]
    if given["as_json"]:
        import orjson  # noqa: PLC0415  # only here

        content = {
            "status": WORDS[code],
            "problem": "; ".join(problems) or None,
            "components": [
                {"check": name, **part.to_json()} for name, one in checked.items() for part in one.components
            ],
        }
        click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        sys.exit(code)
    for component in components:
        if not given["quiet"] or component.band in {"warning", "critical"}:
            click.echo(component.line())
    if not components:
        click.echo("UNKNOWN: there is nothing to judge")
    for problem in problems:
        if not given["quiet"] or code >= CODES["critical"]:
            click.echo(problem, err=True)
    tell_unread(reading)
    sys.exit(code)
