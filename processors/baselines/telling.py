"""What people are told of a key that is worse than its baseline."""

from __future__ import annotations

from processors.baselines.alarm import Alarms
from processors.baselines.comparing import ERROR_RATE, Finding
from processors.baselines.settings import LEVELS, NOUNS, BaselineSettings
from processors.baselines.windows import QUANTILES
from processors.description import Description
from processors.evaluation import format_value

RESPONSE_TIME, ERRORS = "baseline.response_time", "baseline.error_rate"
MEASURES = {RESPONSE_TIME: tuple(QUANTILES), ERRORS: (ERROR_RATE,)}
"""By rule."""


def describe(settings: BaselineSettings) -> tuple[Description, ...]:
    """The two rules, whether they are judged or not."""
    return (
        _description(RESPONSE_TIME, "slower", settings, "forecourt stats response-times --last 1h"),
        _description(ERRORS, "more errors", settings, "forecourt logs errors --last 1h"),
    )


def _description(rule: str, what: str, settings: BaselineSettings, step: str) -> Description:
    shares = (format_value(share, "ratio") for share in settings.levels.shares)
    return Description(
        name=rule,
        bounds=tuple(f"{what} by > {share} than in the baseline" for share in shares),
        next_steps=(
            "forecourt baseline compare --last 1h",
            step,
            "forecourt alerts history --last 24h",
            f"forecourt runbook alert {rule}",
        ),
        labels={"category": "baseline"},
    )


def summarize(finding: Finding, baseline: str) -> str:
    """As `95 % of requests take 1.62 times as long as in the baseline "default" (1.48 to 1.75 times; …)`."""
    what, unit = NOUNS[finding.subject.indicator], "s"
    if finding.measure == ERROR_RATE:
        unit, told = "ratio", f"{what} fail {finding.ratio:.3g} times as often as"
    else:
        told = (
            f"{format_value(QUANTILES[finding.measure], 'ratio')} of {what} take {finding.ratio:.3g} times as long as"
        )
    then, now = format_value(finding.then, unit), format_value(finding.now, unit)
    if not finding.then:
        return f'{now} of {what} fail, none did in the baseline "{baseline}"'
    between = f"{finding.low:.3g} to {finding.high:.3g} times"
    return f'{told} in the baseline "{baseline}" ({between}; {then} then, {now} now)'


def waits(finding: Finding, alarms: Alarms, settings: BaselineSettings) -> str:
    """Why nobody is told yet; empty where nothing is exceeded."""
    if not finding.level:
        return ""
    level = LEVELS.index(finding.level)
    held, wanted = alarms.held(finding.measure, level), settings.hold.windows[level]
    return f"for {held} of {wanted} windows" if held < wanted else ""
