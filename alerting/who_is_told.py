"""Who would be told of an alert, without telling anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from alerting.routing import Routes
from alerting.settings import AlertingSettings, ReceiverSettings
from alerting.silence import Silence, Silences, describe
from processors.quantities import format_duration


def who_is_told(
    settings: AlertingSettings,
    problems: Mapping[str, str],
    labels: Mapping[str, str],
    silences: Iterable[Silence],
    now_unix_nano: int,
) -> dict[str, Any]:
    """A value for JSON: the routes in their order with their receivers, and the silence that would keep it quiet.

    `problems` are those of `receiver_problems`.
    """
    known = Silences()
    known.replace(silences)
    known.advance(now_unix_nano)
    silence = known.muting(labels, now_unix_nano)
    step = getattr(settings.escalation, labels.get("severity", ""), None)
    return {
        "labels": dict(labels),
        "silenced_by": f"{silence.id}: {describe(silence)}" if silence else None,
        "routes": [
            {
                "route": route.name,
                "group_by": list(route.settings.group_by),
                "group_wait": format_duration(route.settings.group_wait) if route.settings.group_wait else "at once",
                "repeat_interval": format_duration(route.settings.repeat_interval),
                "receivers": [
                    _receiver(name, settings.receivers[name], problems[name]) for name in route.settings.receivers
                ],
            }
            for route in Routes(settings.routes).of(labels)
        ],
        "escalation": [
            {"after": format_duration(step.after * (number + 1)), "receivers": list(level)}
            for number, level in enumerate(step.levels)
        ]
        if step
        else [],
    }


def _receiver(name: str, settings: ReceiverSettings, problem: str) -> dict[str, Any]:
    return {
        "receiver": name,
        "channel": settings.channel,
        "to": ", ".join(settings.email.to) if settings.email else "",
        "problem": problem or None,
    }
