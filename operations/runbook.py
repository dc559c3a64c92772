"""The runbook's scripts and the commands that do their jobs; their options in the runbook's own spelling."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_LAST = re.compile(r"--last-(\d+)?(hour|min|day|h|d)s?")
_UNITS = {"hour": "h", "h": "h", "min": "min", "day": "days", "d": "days"}
_PASSED_ON = {"--json": 0, "--config": 1, "--logs": 1, "--last": 1, "--from": 1, "--to": 1, "--help": 0}
"""Options of the commands themselves, with how many values each takes."""


class RunbookError(Exception):
    """No such script, or it has no such option; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a script: what it becomes; `value` turns what was given into what the command takes."""

    becomes: tuple[str, ...] = ()
    value: Callable[[str], str] | None = None
    """None for an option without a value."""


@dataclass(frozen=True, slots=True)
class Mode:
    """Another command, chosen by an option of the script."""

    command: tuple[str, ...]
    options: dict[str, Option] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    command: tuple[str, ...]
    options: dict[str, Option] = field(default_factory=dict)
    modes: dict[str, Mode] = field(default_factory=dict)

    @property
    def usage(self) -> str:
        """Its options, as the runbook shows them."""
        return " ".join([*self.modes, *(f"{name}{' …' if one.value else ''}" for name, one in self.options.items())])


def _same(text: str) -> str:
    return text


def _hours(text: str) -> str:
    """The old scripts' bare numbers are hours."""
    return f"{text}h" if text.isdigit() else text


def _days(text: str) -> str:
    return f"{text}days" if text.isdigit() else text


def _milliseconds(text: str) -> str:
    return f"{text}ms" if text.isdigit() else text


def _percent(text: str) -> str:
    return text if text.endswith("%") else f"{text}%"


_NOTHING = Option()
_TIMEFRAME = {"--timeframe": Option(("--last",), _hours)}
_FOLLOW = {"--realtime": Option(("--follow",))}
_ALERT = {"--message": Option(("--message",), _same), "--urgent": Option(("--severity", "critical"))}


def _script(name: str, command: str, **more: dict[str, Option] | dict[str, Mode]) -> Script:
    return Script(name, tuple(command.split()), **more)  # type: ignore[arg-type]  # options or modes, by their names


_LOG_MODES = {
    "--errors": Mode(("logs", "errors"), _TIMEFRAME),
    "--check-errors": Mode(("check", "errors")),
    "--slow-queries": Mode(
        ("logs", "slow-queries"), {"--threshold": Option(("--threshold",), _milliseconds), **_TIMEFRAME}
    ),
    "--security": Mode(("logs", "security"), {"--suspicious": Option(("--suspicious",)), **_TIMEFRAME}),
    "--business-events": Mode(("logs", "business"), {"--summary": Option(("--summary",)), **_TIMEFRAME}),
    "--performance": Mode(("logs", "performance"), _TIMEFRAME),
}
_REPORT_MODES = {"--weekly": Mode(("report", "weekly")), "--monthly": Mode(("report", "monthly"))}

SCRIPTS = (
    _script("continuous-monitoring.sh", "check all"),
    _script("health-check.py", "check health", options={"--quiet": Option(("--quiet",))}),
    _script("performance-monitor.py", "check performance", options={"--check-thresholds": _NOTHING}),
    _script("security-monitor.py", "check security", options={"--scan-recent": _NOTHING}),
    _script("business-metrics-check.py", "check business"),
    _script("check-monitoring-health.py", "check self"),
    _script("check-metric-collection.py", "check collection"),
    _script("check-monitoring-overhead.py", "check overhead"),
    _script("debug-performance-monitoring.py", "check self --debug"),
    _script("optimize-monitoring.py", "check self --advise"),
    _script("restart-metric-collectors.py", "collector reload"),
    _script("log-analyzer.py", "logs errors", modes=_LOG_MODES, options=_TIMEFRAME),
    _script("analyze-response-times.py", "stats response-times"),
    _script("analyze-database-performance.py", "stats database"),
    _script("analyze-memory-usage.py", "stats memory"),
    _script("analyze-resource-trends.py", "stats resources --trend"),
    _script("monitor-work-orders.py", "stats work-orders --follow"),
    _script("analyze-work-order-failures.py", "stats work-orders --failures"),
    _script("analyze-processing-times.py", "stats work-orders --times"),
    _script("track-automation-success.py", "stats automation --success"),
    _script("analyze-automation-performance.py", "stats automation"),
    _script("analyze-sync-performance.py", "stats sync"),
    _script("analyze-user-activity.py", "stats users"),
    _script("feature-usage-stats.py", "stats features"),
    _script("analyze-user-sessions.py", "stats sessions"),
    _script("auth-monitoring.py", "security auth", options=_FOLLOW),
    _script(
        "analyze-failed-logins.py",
        "security failed-logins",
        options={"--threshold": Option(("--threshold",), _same), "--timeframe": Option(("--within",), _hours)},
    ),
    _script("detect-auth-anomalies.py", "security anomalies auth"),
    _script("detect-user-anomalies.py", "security anomalies user"),
    _script("detect-access-anomalies.py", "security anomalies access"),
    _script("detect-data-anomalies.py", "security anomalies data"),
    _script("rate-limit-monitoring.py", "security rate-limits --follow"),
    _script("analyze-rate-limits.py", "security rate-limits", options={"--top-ips": Option(("--top-ips",), _same)}),
    _script("configure-security-alerts.py", "rules enable security"),
    _script("test-security-alerts.py", "alerts test --rules security"),
    _script("review-thresholds.py", "rules review"),
    _script("tune-alert-thresholds.py", "rules tune"),
    _script("establish-baseline.py", "baseline create"),
    _script(
        "compare-to-baseline.py",
        "baseline compare",
        options={"--alert-on-deviation": Option(("--alert-on-deviation",), _percent)},
    ),
    _script("update-baseline.py", "baseline update", options={"--confirm": Option(("--confirm",))}),
    _script("update-performance-baselines.py", "baseline update --confirm"),
    _script("email-alerting.py", "alerts send --channel email", options=_ALERT),
    _script("pushover-alerting.py", "alerts send --channel pushover", options=_ALERT),
    _script("desktop-alert.py", "alerts send --channel desktop", options=_ALERT),
    _script("alert-storm-prevention.py", "alerts storms"),
    _script(
        "suppress-alerts.py",
        "silence add",
        options={"--maintenance-mode": Option(("--maintenance",)), "--duration": Option(("--for",), _hours)},
    ),
    _script("enable-alerts.py", "silence end --all"),
    _script("emergency-alert-suppression.py", "silence add --emergency --for 1h"),
    _script("review-alerts.py", "alerts history"),
    _script("identify-alert-storms.py", "alerts storms"),
    _script("analyze-alert-patterns.py", "alerts patterns"),
    _script("log-maintenance.sh", "store maintain"),
    _script("cleanup-monitoring-data.py", "store prune", options={"--older-than": Option(("--older-than",), _days)}),
    _script("validate-log-rotation.py", "store verify --rotation"),
    _script("verify-metric-storage.py", "store verify --stream metrics"),
    _script("monitoring-dashboard.py", "dashboard", options={"--port": Option(("--port",), _same)}),
    _script("security-dashboard.py", "dashboard --security", options={"--port": Option(("--port",), _same)}),
    _script("update-monitoring-dashboards.py", "dashboard export"),
    _script("generate-monitoring-report.py", "report weekly", modes=_REPORT_MODES),
    _script("monitoring-system-review.py", "report review"),
    _script("review-monitoring-coverage.py", "report coverage"),
    _script("daily-monitoring-maintenance.sh", "maintain daily"),
    _script("weekly-monitoring-maintenance.sh", "maintain weekly"),
    _script("monthly-monitoring-maintenance.sh", "maintain monthly"),
)
"""In the order of the runbook's table."""
_BY_NAME = {script.name: script for script in SCRIPTS}


def find(text: str) -> Script:
    """With or without its folder and its ending; raise RunbookError."""
    name = PurePosixPath(text.replace("\\", "/")).name
    for candidate in (name, f"{name}.py", f"{name}.sh"):
        if candidate in _BY_NAME:
            return _BY_NAME[candidate]
    close = difflib.get_close_matches(name, _BY_NAME, 1)
    hint = f"Did you mean {close[0]}?" if close else "forecourt runbook lists them"
    raise RunbookError(f"{name}: the runbook has no such script. {hint}")


def translate(text: str, arguments: Sequence[str]) -> list[str]:
    """The arguments of `forecourt` that do what the script did with its own; raise RunbookError."""
    script = find(text)
    given = [part for argument in arguments for part in _split(argument)]
    chosen = [script.modes[word] for word in given if word in script.modes]
    mode = chosen[0] if chosen else Mode(script.command, script.options)
    command = list(mode.command)
    words = iter(word for word in given if word not in script.modes)
    for word in words:
        command += _translated(script, mode, word, lambda: next(words, None))
    return command


def _split(argument: str) -> list[str]:
    """`--a=b` is `--a b`."""
    name, equals, value = argument.partition("=")
    return [name, value] if equals and name.startswith("--") else [argument]


def _translated(script: Script, mode: Mode, word: str, following: Callable[[], str | None]) -> list[str]:
    if found := _LAST.fullmatch(word):
        return ["--last", f"{found[1] or 1}{_UNITS[found[2]]}"]
    option = mode.options.get(word)
    if option is None:
        return [word, *_values(script, word, _PASSED_ON.get(word, -1), following)]
    if option.value is None:
        return list(option.becomes)
    (value,) = _values(script, word, 1, following)
    return [*option.becomes, option.value(value)]


def _values(script: Script, word: str, count: int, following: Callable[[], str | None]) -> list[str]:
    if count < 0:
        known = script.usage or "none of its own"
        raise RunbookError(f"{script.name}: {word} is no option of it; it has {known}, besides --last-24h and --json")
    values = [value for value in (following() for _ in range(count)) if value is not None]
    if len(values) < count:
        raise RunbookError(f"{script.name}: {word} needs a value")
    return values
